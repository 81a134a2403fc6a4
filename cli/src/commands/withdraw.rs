//! `waiaas withdraw`: the owner's way out, wholly over `admin.sock`: an owner's statement fixes wallet,
//! amount, enrolled address and fee ceiling, the transaction is built here, the signer signs it. Works
//! while everything is paused and without a gateway.

mod costs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use waiaas_client::{ClientError, Submitted};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::network::network_terms;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::view::WalletView;

use self::costs::Costs;
use crate::app::App;
use crate::chain_node::Node;
use crate::failure::{Exit, Failure};
use crate::signer::{Signer, decimals, failed};
use crate::statement::SigningArgs;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// From which wallet
    #[arg(long, value_name = "WALLET")]
    wallet: WalletId,
    /// What: a network's own coin, such as solana:localnet/slip44:501, or a token, such as
    /// eip155:1/erc20:0x... or solana:.../token:... (a mint that the policy names)
    #[arg(long, value_name = "CAIP19")]
    asset: AssetId,
    /// How much, in the asset's unit
    #[arg(long, value_name = "DECIMAL")]
    amount: String,
    /// To which enrolled address
    #[arg(long, value_name = "ADDRESS")]
    to: Account,
    /// The most that the chain may take, in its own coin's unit
    #[arg(long, value_name = "DECIMAL")]
    fee_ceiling: String,
    /// From an address that the wallet had before `wallet rotate`
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Account>,
    /// EVM: use this issued nonce again, at or above the attested one, or one that an attestation skipped
    #[arg(long, value_name = "N")]
    nonce: Option<u64>,
    /// A node: it gives blockhash or fees, and the transaction is sent through it
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
    /// Solana, without --rpc: a recent blockhash
    #[arg(long, value_name = "BASE58")]
    blockhash: Option<SolanaAddress>,
    /// Solana, without --rpc: create the recipient's account for the token, whose rent counts to the ceiling
    #[arg(long)]
    create_account: bool,
    /// Solana: priority fee in millionths of a lamport per compute unit (450 units, 100000 for a token)
    #[arg(long, value_name = "N", default_value_t = 0)]
    unit_price: u64,
    /// EVM: units of gas; 21000 for a coin, for a token what the node estimates, or 100000 without one
    #[arg(long, value_name = "N")]
    gas: Option<u64>,
    /// Places between the token's unit and its base unit, if the policy does not name the token
    #[arg(long, value_name = "N")]
    decimals: Option<u8>,
    /// EVM, without --rpc: wei per gas in all, at most
    #[arg(long, value_name = "WEI")]
    max_fee_per_gas: Option<u128>,
    /// EVM, without --rpc: wei per gas for the block's producer, at most
    #[arg(long, value_name = "WEI")]
    priority_fee_per_gas: Option<u128>,
    /// Sign only: print the bytes and do not send them
    #[arg(long)]
    no_send: bool,
    #[command(flatten)]
    signing: SigningArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let chain = args.asset.chain();
    args.signing
        .refuse_draft("blockhash or fees are looked up once the owner has signed")?;
    let signer = Signer::connect(app).await?;
    let wallets = signer
        .client
        .wallets()
        .await
        .map_err(failed("no list of wallets"))?;
    let wallet = wallets
        .iter()
        .find(|view| view.wallet == args.wallet)
        .ok_or_else(|| {
            Failure::new(Exit::Failure, format!("no wallet {}", args.wallet))
                .next("waiaas wallet list")
        })?;
    let payer = payer(wallet, args.from)?;
    // The way out needs no policy: without one, units are those of the chain or of `--decimals`.
    let policies = signer.policies().await.unwrap_or_else(|failure| {
        let why = failure.human();
        app.output
            .say(format!("{why}\nGoing on without the policy."));
        Vec::new()
    });
    let policy = policies.last();
    let mint = registered(args.asset, policy)?;
    let places = |asset: AssetId| {
        let stated = args.decimals.filter(|_| asset.token() != Token::Native);
        decimals(asset, policy)
            .or_else(|| stated.and_then(|places| Decimals::new(places).ok()))
            .ok_or_else(|| {
                Failure::usage(format!("the decimals of {asset} are not known"))
                    .next("--decimals N")
            })
    };
    let read = |name: &str, text: &str, asset: AssetId| {
        Amount::parse_decimal(text, places(asset)?)
            .map_err(|error| Failure::usage(format!("{name} {text:?}")).why(error))
    };
    let amount = read("--amount", &args.amount, args.asset)?;
    let fee_ceiling = read("--fee-ceiling", &args.fee_ceiling, chain.native_asset())?;
    let node = match &args.rpc {
        Some(url) => Some(Node::connect(url, chain).await?),
        None => None,
    };
    // What is missing shows before the owner is asked, and before a nonce is given away.
    let transfer = Transfer {
        action: Action::Transfer,
        asset: args.asset,
        to: args.to,
        amount,
        mint,
        call: None,
        stake: None,
        program: None,
    };
    let network = network_terms(&policies, chain);
    let costs = Costs::find(&args, &payer, &transfer, node.as_ref(), network).await?;
    costs.check(fee_ceiling)?;
    if let Some(node) = &node {
        check_balance(node, &payer, &transfer, costs).await?;
        check_nonce(node, &payer, chain, args.nonce).await?;
    }
    let facts = StatementFacts::Withdraw {
        wallet: args.wallet,
        asset: args.asset,
        to: args.to,
        amount,
        fee_ceiling,
        nonce: args.nonce,
        from: args.from.filter(|account| *account != wallet.account),
    };
    let signed = args.signing.sign(&app.output, &signer, &facts).await?;
    // Fresh after the owner took their time.
    let costs = Costs::find(&args, &payer, &transfer, node.as_ref(), network).await?;
    costs.check(fee_ceiling)?;
    let unsigned = costs.build(payer.account, &transfer)?;
    let submitted = signer
        .client
        .withdraw(signed.statement, &signed.signatures, &unsigned)
        .await;
    let submitted = submitted.map_err(|error| {
        // What was signed and never arrived is in the log, and its bytes are given again.
        let lost = !matches!(error, ClientError::Denied(_));
        let failure = failed("not withdrawn")(error);
        if lost {
            failure.next("waiaas audit show --kind Withdrawn, and if it is there: waiaas resend TRANSACTION --network CAIP2")
        } else {
            failure
        }
    })?;
    deliver(
        app,
        &submitted,
        chain,
        node.filter(|_| !args.no_send).as_ref(),
    )
    .await
}

/// Shows signed bytes, and sends them through the node if there is one.
pub(super) async fn deliver(
    app: &App,
    submitted: &Submitted,
    chain: ChainId,
    node: Option<&Node>,
) -> Result<(), Failure> {
    let raw = match chain {
        ChainId::Solana(_) => STANDARD.encode(&submitted.raw),
        ChainId::Evm(_) => format!("0x{}", hex::encode(&submitted.raw)),
    };
    let name = &submitted.chain_transaction;
    let mut landed = None;
    let mut trouble = None;
    let mut unseen = None;
    if let Some(node) = node {
        match node.send(&submitted.raw).await {
            Ok(()) => {
                app.output
                    .say(format!("Sent as {name}; waiting for the chain..."));
                // Whatever the node says now, the owner gets the bytes that are on their way.
                match node.landed(name).await {
                    Ok(found) => landed = found,
                    Err(failure) => unseen = Some(failure),
                }
            }
            Err(failure) => trouble = Some(failure),
        }
    }
    let state = match (&trouble, landed) {
        (Some(_), _) => "signed, NOT sent",
        (None, Some(true)) => "on the chain",
        (None, Some(false)) => "on the chain, FAILED there",
        (None, None) if node.is_some() => "sent, not seen on the chain yet",
        (None, None) => "signed, not sent",
    };
    let words = format!("{name}\n{state}\n{raw}");
    let data = json!({
        "chain_transaction": name,
        "raw": raw,
        "sequence": submitted.sequence,
        "sent": node.is_some() && trouble.is_none(),
        "landed": landed,
    });
    app.output.data(words, &data)?;
    match (trouble, unseen, landed) {
        (Some(failure), _, _) => {
            Err(failure.next("send the signed bytes above with any wallet or node"))
        }
        (None, Some(failure), _) => Err(failure.next(format!(
            "look for {name} on the chain; the same signed bytes may be sent again, they pay once"
        ))),
        (None, None, Some(false)) => Err(Failure::new(
            Exit::Failure,
            "the chain executed it and it failed",
        )),
        _ => Ok(()),
    }
}

/// A Solana mint as the newest policy has it: the signer reads a withdrawal by that too.
fn registered(
    asset: AssetId,
    policy: Option<&PolicyDocument>,
) -> Result<Option<solana::Token>, Failure> {
    let Token::Mint(_) = asset.token() else {
        return Ok(None);
    };
    let known = policy.and_then(|policy| policy.asset(asset)?.mint());
    known.map(Some).ok_or_else(|| {
        Failure::usage(format!("the policy does not name {asset}"))
            .why("decimals and token program of a mint are what the policy says, no node's word")
            .next("adopt a policy with an [[asset]] for it, with limits as low as you like, then withdraw")
    })
}

/// The wallet as the key that pays: its own, or one that it had before.
fn payer(wallet: &WalletView, from: Option<Account>) -> Result<WalletView, Failure> {
    let Some(account) = from.filter(|account| *account != wallet.account) else {
        return Ok(wallet.clone());
    };
    let former = wallet.former.iter().find(|key| key.account == account);
    let former = former.ok_or_else(|| {
        Failure::new(
            Exit::Failure,
            format!("{account} was never an address of {}", wallet.wallet),
        )
        .next("waiaas wallet list")
    })?;
    Ok(WalletView {
        path: former.path,
        account,
        nonces: former.nonces.clone(),
        ..wallet.clone()
    })
}

/// A transaction that nothing pays for would only leave a nonce that nothing follows. Whether there is
/// enough of an EVM chain's token shows when the node estimates its gas.
async fn check_balance(
    node: &Node,
    wallet: &WalletView,
    transfer: &Transfer,
    costs: Costs,
) -> Result<(), Failure> {
    let held = node.balance(wallet.account).await?;
    let coins = match transfer.asset.token() {
        Token::Native => transfer.amount.base_units(),
        _ => 0,
    };
    let needed = costs.fee().and_then(|fee| fee.checked_add(coins));
    let poor = |what: &str, held: String| {
        Failure::new(Exit::Failure, format!("the wallet does not hold {what}"))
            .why(format!("{} holds {held} base units", wallet.account))
            .next("withdraw less")
    };
    if needed.is_none_or(|needed| needed > held) {
        return Err(poor("the amount and its fee", held.to_string()));
    }
    if let (Some(token), Account::Solana(owner)) = (transfer.mint, wallet.account) {
        let held = node.tokens(token.account_of(owner)).await?.unwrap_or(0);
        if transfer.amount.base_units() > held.into() {
            return Err(poor("the amount", held.to_string()));
        }
    }
    Ok(())
}

/// A nonce beyond the chain's next one would wait for ever, one below was used already.
async fn check_nonce(
    node: &Node,
    wallet: &WalletView,
    chain: ChainId,
    chosen: Option<u64>,
) -> Result<(), Failure> {
    let issued = wallet.nonces.iter().find(|nonce| nonce.chain == chain);
    let Some(nonce) = chosen.or(issued.map(|nonce| nonce.next)) else {
        return Ok(());
    };
    let (mined, with_waiting) = node.transaction_counts(wallet.account).await?;
    if nonce > with_waiting {
        return Err(Failure::new(Exit::Failure, "the transaction would wait for ever")
            .why(format!(
                "it would carry nonce {nonce}, and the chain takes {with_waiting} next: what was signed in between never got there"
            ))
            .next(format!("use an issued nonce again: --nonce {with_waiting}")));
    }
    if nonce < mined {
        return Err(Failure::new(Exit::Failure, "the chain has used this nonce already")
            .why(format!("it would carry nonce {nonce}, and the chain takes {mined} next"))
            .next(format!(
                "waiaas wallet attest-nonce --wallet {} --network {chain} --next {mined} --owner-key FILE",
                wallet.wallet
            )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
