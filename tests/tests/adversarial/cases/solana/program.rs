//! System, compute budget, every other program, roles, off-chain messages (X12 to X15, X17, X19).

use anyhow::{Context as _, Result};
use serde_json::json;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::solana::{StakeAccount, Staking, build};
use waiaas_tests::stage::solana;

use super::{
    AMOUNT, COMPUTE_BUDGET, DENIED, Draft, MEMO, STAKE, SYSTEM, TOKEN, brought, deny,
    deny_requests, instruction, stake, thief,
};
use crate::bytes::{compact, lamports, system};
use crate::cases::{Case, case};
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("X12", system_numbers),
    case("X13", compute_budgets),
    case("X15", roles),
    case("X17", other_programs),
    case("X19", off_chain),
];

fn system_numbers(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    let owner = thief(2);
    for number in (0..=32).chain([255, 256, 258, 0x0100_0002, 0x8000_0002, u32::MAX]) {
        for rest in [
            vec![],
            AMOUNT.to_le_bytes().to_vec(),
            owner.to_vec(),
            [&AMOUNT.to_le_bytes()[..], &0_u64.to_le_bytes(), &owner].concat(),
            [
                &thief(3)[..],
                &4_u64.to_le_bytes(),
                b"seed",
                &AMOUNT.to_le_bytes(),
                &owner,
            ]
            .concat(),
        ] {
            if number == 2 && rest.len() == 8 {
                continue;
            }
            for accounts in [&[0, 1][..], &[0, 2], &[2, 0, 1]] {
                let more = vec![instruction(3, accounts, system(number, &rest))];
                drafts.push(Draft::new(
                    rig,
                    &format!("{number} with {} bytes", rest.len()),
                    &[thief(0)],
                    &[SYSTEM],
                    more,
                ));
            }
        }
    }
    // A transfer's number with junk around, alone.
    for data in [
        vec![2],
        vec![2, 0, 0],
        vec![2, 0, 0, 0],
        [&lamports(AMOUNT)[..], &[0]].concat(),
        [&[2, 0][..], &AMOUNT.to_le_bytes()].concat(),
    ] {
        let mut draft = Draft::honest(rig).called(format!("{data:?}"));
        draft.message.instructions = vec![instruction(2, &[0, 1], data)];
        drafts.push(draft);
    }
    deny(rig, drafts)
}

/// Rules of the policy that a fee can break.
const TOO_DEAR: [Code; 4] = [
    Code::FeeCeiling,
    Code::PerTransactionLimit,
    Code::TierNotAvailable,
    Code::HourLimit,
];

fn compute_budgets(rig: &mut Rig, _: &Template) -> Result<String> {
    let budget = |tag: u8, rest: &[u8]| instruction(3, &[], [&[tag][..], rest].concat());
    let (price, limit) = (3, 2);
    let most = u64::MAX.to_le_bytes();
    let mut drafts = Vec::new();
    for (name, more) in [
        (
            "the highest price",
            vec![
                budget(price, &most),
                budget(limit, &1_400_000_u32.to_le_bytes()),
            ],
        ),
        (
            "the highest price without a limit",
            vec![budget(price, &most)],
        ),
        (
            "the highest limit",
            vec![budget(limit, &u32::MAX.to_le_bytes())],
        ),
        (
            "both",
            vec![budget(limit, &u32::MAX.to_le_bytes()), budget(price, &most)],
        ),
        (
            "a price twice",
            vec![
                budget(price, &1_u64.to_le_bytes()),
                budget(price, &2_u64.to_le_bytes()),
            ],
        ),
        (
            "a limit twice",
            vec![
                budget(limit, &450_u32.to_le_bytes()),
                budget(limit, &450_u32.to_le_bytes()),
            ],
        ),
        ("a short price", vec![budget(price, &[1; 7])]),
        ("a long price", vec![budget(price, &[1; 9])]),
        ("an empty one", vec![instruction(3, &[], vec![])]),
    ] {
        drafts.push(Draft::new(rig, name, &[], &[SYSTEM, COMPUTE_BUDGET], more));
    }
    for tag in (0..=255_u8).filter(|tag| ![price, limit].contains(tag)) {
        for length in [4, 8] {
            let more = vec![budget(tag, &[1; 8][..length])];
            drafts.push(Draft::new(
                rig,
                &format!("tag {tag}"),
                &[],
                &[SYSTEM, COMPUTE_BUDGET],
                more,
            ));
        }
    }
    let with_account = instruction(3, &[0], [&[price][..], &1_u64.to_le_bytes()].concat());
    drafts.push(Draft::new(
        rig,
        "with an account",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![with_account],
    ));
    let mut attempts = Vec::new();
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    // A price that can be paid but is above the ceiling is the policy's to refuse.
    let above = Draft::new(
        rig,
        "above the ceiling",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![
            budget(limit, &1_400_000_u32.to_le_bytes()),
            budget(price, &(u64::MAX / 1000).to_le_bytes()),
        ],
    );
    let (_, above) = above.request(rig)?;
    rig.refuse("above the ceiling", above, &TOO_DEAR)?;
    // Placed last it counts as well: the second calculator compares the charge (O2).
    let last = Draft::new(
        rig,
        "placed last",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![
            budget(limit, &1000_u32.to_le_bytes()),
            budget(price, &1_000_000_u64.to_le_bytes()),
        ],
    );
    let (_, last) = last.request(rig)?;
    rig.send(&last).context("placed last")?;
    // The price is what counts where the settings are understood.
    let codes = [&DENIED[..], &TOO_DEAR].concat();
    let counted = rig.refused(&attempts, &codes)?;
    Ok(format!("{} refused {counted:?}", attempts.len()))
}

fn roles(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    let stranger = thief(7);
    // A stranger's transfer, paid by us.
    let mut paid = Draft::new(rig, "we only pay", &[stranger], &[SYSTEM], vec![]);
    paid.message.instructions = vec![instruction(3, &[2, 1], lamports(AMOUNT))];
    drafts.push(paid.clone());
    let mut both = paid.clone().called("two signers");
    both.message.header = [2, 0, 1];
    both.message.keys.swap(1, 2);
    both.message.instructions = vec![
        instruction(3, &[1, 2], lamports(AMOUNT)),
        instruction(3, &[0, 2], lamports(AMOUNT)),
    ];
    drafts.push(both.clone());
    let mut second = both.called("signer, not payer");
    second.message.keys.swap(0, 1);
    drafts.push(second);
    let mut foreign = Draft::honest(rig).called("a stranger's transaction");
    if let Some(payer) = foreign.message.keys.first_mut() {
        *payer = stranger;
    }
    drafts.push(foreign);
    let unknown = bs58::encode(thief(8)).into_string();
    for accounts in [&[0][..], &[1, 0], &[]] {
        drafts.push(Draft::new(
            rig,
            "our key in an unknown program",
            &[],
            &[SYSTEM, &unknown],
            vec![instruction(3, accounts, vec![1])],
        ));
    }
    let mut read_only = Draft::honest(rig).called("a read-only payer");
    read_only.message.header = [1, 1, 1];
    drafts.push(read_only);
    let mut unsigned = Draft::honest(rig).called("no signer");
    unsigned.message.header = [0, 0, 1];
    drafts.push(unsigned);
    let said = deny(rig, drafts)?;
    let brought = brought::roles(rig)?;
    Ok(format!("{said}; {brought}"))
}

fn other_programs(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [
        STAKE,
        "Vote111111111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "LoaderV411111111111111111111111111111111111",
        "Config1111111111111111111111111111111111111",
        "AddressLookupTab1e1111111111111111111111111",
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
        "ZkE1Gama1Proof11111111111111111111111111111",
        "SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf",
        "namesLPneVptA9Z5rqUDD9tMTWEJwofgaYwp8cawRkX",
        MEMO,
    ] {
        for number in 0..=16_u32 {
            let data = system(number, &[&AMOUNT.to_le_bytes()[..], &thief(1)].concat());
            drafts.push(Draft::beside(
                rig,
                &format!("{program} {number}"),
                program,
                data,
            ));
        }
    }
    // A multisig's transfer, with signers behind.
    let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
    drafts.push(Draft::new(
        rig,
        "a multisig",
        &[thief(0), thief(1), thief(2)],
        &[TOKEN],
        vec![instruction(5, &[2, 3, 1, 4, 0], data)],
    ));
    // A memo of its own: nobody asked for it.
    drafts.push(Draft::noted(rig));
    drafts.extend(stakes(rig));
    let mut attempts = Vec::new();
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    for (name, bytes) in templates(rig)? {
        attempts.push(Draft::honest(rig).called(name).bytes(rig, bytes)?);
    }
    let said = deny_requests(rig, &attempts)?;
    let ground = template.on_test_networks()?;
    let stakes = Template::aside(ground.rig()?, stake::with_a_validator)?;
    Ok(format!(
        "{said}; {stakes} where policy names a validator, and its three templates pass"
    ))
}

/// Every instruction of the stake program, with nothing beside: to move a stake, hand it over, or lock it up.
fn stakes(rig: &Rig) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for number in (0..=20_u32).chain([255, 0x0100_0004, u32::MAX]) {
        for rest in [
            vec![],
            AMOUNT.to_le_bytes().to_vec(),
            thief(1).to_vec(),
            [&thief(1)[..], &1_u32.to_le_bytes()].concat(),
            [&thief(1)[..], &thief(1), &[0; 48]].concat(),
        ] {
            for accounts in [&[1, 0][..], &[2, 1, 0], &[2, 0, 0], &[1, 1, 2, 2, 0, 0]] {
                drafts.push(Draft::new(
                    rig,
                    &format!("stake {number} with {} bytes", rest.len()),
                    &[thief(0)],
                    &[STAKE],
                    vec![instruction(3, accounts, system(number, &rest))],
                ));
            }
        }
    }
    drafts
}

/// Whole templates of the stake program, as our own builder makes them, that nobody asked for.
fn templates(rig: &Rig) -> Result<Vec<(String, Vec<u8>)>> {
    let Account::Solana(wallet) = rig.cast.solana.account else {
        anyhow::bail!("an account of Solana")
    };
    let amount = Amount::from_base_units(AMOUNT.into());
    let validator = SolanaAddress::from_bytes(thief(1));
    let own = StakeAccount::of(wallet, "seed".parse()?);
    let of_thief = StakeAccount::of(validator, "seed".parse()?);
    let mut templates = Vec::new();
    for staking in [
        Staking::Delegate { validator, amount },
        Staking::Deactivate,
        Staking::Withdraw { amount },
    ] {
        let bytes = build::staking(&build::StakingRequest {
            from: wallet,
            account: &own,
            staking,
            blockhash: [7; 32],
            compute_unit_limit: 80_000,
            micro_lamports_per_compute_unit: 0,
        })?;
        // The same with a stake account of the attacker's in the place of the wallet's.
        let mut foreign = bytes.clone();
        let place = foreign
            .windows(32)
            .position(|window| window == own.address().as_bytes())
            .context("the stake account")?;
        foreign
            .get_mut(place..place + 32)
            .context("its bytes")?
            .copy_from_slice(of_thief.address().as_bytes());
        templates.push((format!("{staking:?}"), bytes));
        templates.push((format!("{staking:?} of another"), foreign));
    }
    Ok(templates)
}

fn off_chain(rig: &mut Rig, _: &Template) -> Result<String> {
    let legacy = Draft::honest(rig).message.bytes();
    let mut attempts = Vec::new();
    let header =
        |version: u8, rest: &[u8]| [&b"\xffsolana offchain"[..], &[version], rest].concat();
    for (name, bytes) in [
        ("version 0", header(0, &[0; 60])),
        (
            "version 0 around a transaction",
            header(
                0,
                &[
                    &[7; 32][..],
                    &[0, 1],
                    &[1; 32],
                    &compact(legacy.len()),
                    &legacy,
                ]
                .concat(),
            ),
        ),
        (
            "version 1 around a transaction",
            header(1, &[&[1][..], &[1; 32], &legacy].concat()),
        ),
        ("version 2", header(2, &legacy)),
        ("half a prefix", [&b"\xffsolana off"[..], &legacy].concat()),
        (
            "the prefix without its byte",
            [&b"solana offchain"[..], &[0], &legacy].concat(),
        ),
        ("base58 of a transaction", bs58::encode(&legacy).into_vec()),
        ("base64 of a transaction", {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD
                .encode(&legacy)
                .into_bytes()
        }),
        ("hex of a transaction", hex::encode(&legacy).into_bytes()),
        (
            "a login",
            b"example.com wants you to sign in with your Solana account:\n".to_vec(),
        ),
    ] {
        attempts.push(Draft::honest(rig).called(name).bytes(rig, bytes)?);
    }
    let said = deny_requests(rig, &attempts)?;
    // The door of logins takes fields: a transaction in any of them is a text at most, and no header.
    let text = bs58::encode(&legacy).into_string();
    let logins: Vec<String> = [
        ("text", json!(text)),
        ("payload", json!(hex::encode(&legacy))),
        ("version", json!(0)),
        ("header", json!("ff736f6c616e61206f6666636861696e00")),
        ("domain", json!(text)),
        ("statement", json!(text)),
        ("statement", json!("\u{ff}solana offchain")),
        ("nonce", json!(text.chars().take(64).collect::<String>())),
        ("request_id", json!(text)),
        ("uri", json!(format!("https://app.example.org/{text}"))),
        ("resources", json!([format!("data:{text}")])),
        ("network", json!("eip155:31337")),
    ]
    .map(|(field, value)| rig.login(solana(), field, value))
    .into();
    let logins = rig.no_login(&logins)?;
    Ok(format!("{said}; {logins} logins refused"))
}
