//! Messages that hardware wallets sign, by their published fields. Where every instruction is of a kind that is
//! written here, the bytes are theirs, and so the signature is; what the decoder says of each stands in a table,
//! by name. The others stand there too: their instructions are none that this wallet signs, which is what the
//! decoder must say of them already by how they begin.

use std::collections::BTreeMap;

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::solana::{Token, TokenProgram};
use waiaas_shared::transaction::{Known, Signature, assemble, decode};

use super::*;

const SYSTEM: &str = "11111111111111111111111111111111";
const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
const BUDGET: &str = "ComputeBudget111111111111111111111111111111";

const FILES: [(&str, usize); 10] = [
    ("associated_token_account_program", 4),
    ("compute_budget_program", 6),
    ("memo_program", 2),
    ("payment_request", 3),
    ("predefined_transactions", 3),
    ("stake_program", 15),
    ("staking_transactions", 8),
    ("system_program", 15),
    ("token_program", 32),
    ("unknown_instructions", 2),
];

/// One instruction: its accounts in order, its data, and whether these are its bytes to the last.
struct Written {
    uses: Vec<u8>,
    data: Vec<u8>,
    whole: bool,
}

fn index(value: &Value) -> u8 {
    u8::try_from(value.as_u64().unwrap()).unwrap()
}

fn write(program: &str, instruction: &Value) -> Written {
    let (accounts, data) = (&instruction["accounts"], &instruction["data"]);
    let kind = data["instruction_id"].as_u64();
    let named =
        |names: &[&str]| -> Vec<u8> { names.iter().map(|name| index(&accounts[*name])).collect() };
    let number = |name: &str| data[name].as_u64().unwrap().to_le_bytes();
    let short = |name: &str| number(name)[..4].to_vec();
    let whole = |uses, data| Written {
        uses,
        data,
        whole: true,
    };
    // By their names' order, which matters nowhere that this is asked.
    let all = || -> Vec<u8> {
        let mut uses = Vec::new();
        for account in accounts.as_object().unwrap().values() {
            uses.extend(account.as_u64().map(|_| index(account)));
            uses.extend(account.as_array().into_iter().flatten().map(index));
        }
        uses
    };
    match (program, kind) {
        (SYSTEM, Some(2)) if accounts["multisig_signers"].is_null() => whole(
            named(&["funding_account", "recipient_account"]),
            [&[2, 0, 0, 0][..], &number("lamports")].concat(),
        ),
        (TOKEN, Some(12)) if accounts["multisig_signers"] == serde_json::json!([]) => {
            let uses = [
                "source_account",
                "token_mint",
                "destination_account",
                "owner",
            ];
            let decimals = index(&data["decimals"]);
            whole(
                named(&uses),
                [&[12][..], &number("amount"), &[decimals]].concat(),
            )
        }
        (ASSOCIATED, kind) if accounts["sysvar_rent"].is_null() => {
            // The files have two names for it.
            let owner = if accounts["wallet_addr"].is_null() {
                "wallet_address"
            } else {
                "wallet_addr"
            };
            let uses = [
                "funding_account",
                "associated_token_account",
                owner,
                "token_mint",
                "system_program",
                "spl_token",
            ];
            let data = kind.map(|kind| u8::try_from(kind).unwrap());
            whole(named(&uses), data.into_iter().collect())
        }
        (BUDGET, Some(1)) => whole(all(), [vec![1], short("bytes")].concat()),
        (BUDGET, Some(2)) => whole(all(), [vec![2], short("units")].concat()),
        (BUDGET, Some(3)) => whole(all(), [&[3][..], &number("lamports")].concat()),
        _ if data["memo"].is_string() => {
            whole(named(&["signer_accounts"]), text(data, "memo").into())
        }
        _ if data.is_string() => {
            let uses = accounts.as_array().unwrap().iter().map(index);
            // Its length stands in front.
            let data = hex::decode(data.as_str().unwrap()).unwrap();
            whole(uses.collect(), data[1..].to_vec())
        }
        // How it begins: System and stake count in 32 bits, token programs in 8.
        _ => {
            let kind = u32::try_from(kind.unwrap_or_default()).unwrap();
            let data = if program == TOKEN {
                kind.to_le_bytes()[..1].to_vec()
            } else {
                kind.to_le_bytes().to_vec()
            };
            Written {
                uses: all(),
                data,
                whole: false,
            }
        }
    }
}

/// The message, and whether it is theirs to the last byte.
fn message(construct: &Value) -> (Vec<u8>, bool) {
    let address = |value: &Value| -> SolanaAddress { value.as_str().unwrap().parse().unwrap() };
    let compact = |length: usize| {
        // No list of these is longer than 16,383.
        let low = u8::try_from(length & 0x7f).unwrap();
        match u8::try_from(length >> 7).unwrap() {
            0 => vec![low],
            high => vec![low | 0x80, high],
        }
    };
    let mut bytes = match construct["version"].as_u64() {
        None => vec![],
        Some(version) => vec![0x80 | u8::try_from(version).unwrap()],
    };
    for count in ["signers", "readonly_signers", "readonly_non_signers"] {
        bytes.push(index(&construct["header"][count]));
    }
    let accounts = construct["accounts"].as_array().unwrap();
    bytes.extend(compact(accounts.len()));
    for account in accounts {
        bytes.extend(address(account).as_bytes());
    }
    bytes.extend(address(&construct["blockhash"]).as_bytes());
    let instructions = construct["instructions"].as_array().unwrap();
    bytes.extend(compact(instructions.len()));
    let mut whole = true;
    for instruction in instructions {
        let program = index(&instruction["program_index"]);
        // Beyond the list is what a lookup table holds.
        let named = accounts.get(usize::from(program));
        let named = named.and_then(Value::as_str).unwrap_or_default();
        let written = write(named, instruction);
        whole &= written.whole;
        bytes.push(program);
        bytes.extend(compact(written.uses.len()));
        bytes.extend(written.uses);
        bytes.extend(compact(written.data.len()));
        bytes.extend(written.data);
    }
    if construct["version"].is_u64() {
        let tables = construct["luts"].as_array().unwrap();
        bytes.extend(compact(tables.len()));
        for table in tables {
            bytes.extend(address(&table["account"]).as_bytes());
            for kind in ["readwrite", "readonly"] {
                let indices = table[kind].as_array().unwrap();
                bytes.extend(compact(indices.len()));
                bytes.extend(indices.iter().map(index));
            }
        }
    }
    (bytes, whole)
}

/// Every mint and owner that the message names is known: what is refused is so for another reason.
fn facts(construct: &Value) -> (Vec<Account>, Vec<Token>) {
    let accounts = construct["accounts"].as_array().unwrap();
    let address = |place: &Value| -> SolanaAddress {
        let place = usize::from(index(place));
        accounts[place].as_str().unwrap().parse().unwrap()
    };
    let owners = accounts
        .iter()
        .map(|account| account.as_str().unwrap().parse());
    let owners = owners
        .map(|owner| Account::Solana(owner.unwrap()))
        .collect();
    let instructions = construct["instructions"].as_array().unwrap();
    let transfers = instructions
        .iter()
        .filter(|one| !one["data"]["decimals"].is_null());
    let tokens = transfers.filter(|one| one["accounts"]["token_mint"].is_u64());
    let tokens = tokens.map(|one| Token {
        mint: address(&one["accounts"]["token_mint"]),
        decimals: index(&one["data"]["decimals"]),
        program: TokenProgram::Token,
    });
    (owners, tokens.collect())
}

/// What becomes of one, and whether its signature is theirs.
fn signed_alike(file: &Value, test: &Value) -> (&'static str, bool) {
    let arena = arena();
    let (name, fields) = (text(test, "description"), &test["parameters"]);
    let seed = seed_of(file, &arena);
    let key = key_at(Curve::Ed25519, &seed, text(fields, "address"), &arena);
    let key = Ed25519Key::from_seed(&key, &arena).unwrap();
    let (bytes, whole) = message(&fields["construct"]);
    let ours = key.sign(&bytes).unwrap();
    // One of them is not signed by theirs, for what the request says besides.
    let theirs = test["result"]["expected_signature"].as_str();
    let compared = theirs.filter(|_| whole);
    if let Some(theirs) = compared {
        assert_eq!(hex::encode(ours), theirs, "{name}");
    }
    let (owners, tokens) = facts(&fields["construct"]);
    let known = Known {
        owners: &owners,
        tokens: &tokens,
        ..Known::NOTHING
    };
    let wallet = Account::Solana(key.public_key());
    let mainnet = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp".parse().unwrap();
    let said = match decode(mainnet, wallet, &bytes, known) {
        Ok(decoded) => {
            assert!(whole, "{name}: bytes that are not its own were read");
            assemble(&decoded, &Signature::Ed25519(ours)).unwrap();
            "signed alike"
        }
        Err(error) if whole => error.code(),
        Err(error) => match error.code() {
            "solana_unknown_program" => "other program",
            "solana_signer_count" => "other signers",
            _ => "other instruction",
        },
    };
    (said, compared.is_some())
}

#[test]
fn messages_are_signed_as_hardware_wallets_do() {
    let (mut found, mut alike) = (BTreeMap::new(), 0);
    for (name, count) in FILES {
        let Some(file) = published(&format!("trezor-solana/sign_tx.{name}.json")) else {
            return;
        };
        let tests = file["tests"].as_array().unwrap();
        for test in tests {
            let (said, compared) = signed_alike(&file, test);
            alike += usize::from(compared);
            let one = format!("{name}: {}", text(test, "description"));
            assert_eq!(found.insert(one, said), None);
        }
        assert_eq!(tests.len(), count, "{name}");
    }
    let expected: BTreeMap<String, &str> = TABLE
        .iter()
        .map(|(name, said)| ((*name).to_owned(), *said))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(alike, 21, "signatures that are theirs");
}

/// What becomes of each: signed as they sign it, or why not.
const TABLE: [(&str, &str); 90] = [
    (
        "associated_token_account_program: Create Associated Token Account",
        "solana_associated_instruction",
    ),
    (
        "associated_token_account_program: Create Associated Token Account Idempotent",
        "solana_unknown_mint",
    ),
    (
        "associated_token_account_program: Create Associated Token Account Idempotent LUTs (#5379)",
        "solana_lookup_table",
    ),
    (
        "associated_token_account_program: Create Associated Token Account With Sysvar Rent included",
        "other instruction",
    ),
    (
        "compute_budget_program: Create Stake Account With Compute Budget",
        "other signers",
    ),
    (
        "compute_budget_program: Jito Transfer With Compute Budget",
        "solana_compute_budget_instruction",
    ),
    (
        "compute_budget_program: Transfer Token With Compute Budget",
        "solana_compute_budget_instruction",
    ),
    (
        "compute_budget_program: Transfer Token With Compute Budget Without Heap Confrimation",
        "solana_mint_writable",
    ),
    (
        "compute_budget_program: Transfer With Compute Budget",
        "solana_compute_budget_instruction",
    ),
    (
        "compute_budget_program: Transfer With Compute Budget Without Heap Confirmation",
        "signed alike",
    ),
    ("memo_program: Memo", "solana_memo_accounts"),
    ("memo_program: Memo Legacy", "solana_unknown_program"),
    (
        "payment_request: Native SOL Payment request",
        "signed alike",
    ),
    ("payment_request: Payment request", "solana_unused_account"),
    (
        "payment_request: Payment request - multiple transfers",
        "solana_unused_account",
    ),
    (
        "predefined_transactions: Create Token Account and Transfer Token - predefined",
        "solana_associated_instruction",
    ),
    (
        "predefined_transactions: Transfer Token - predefined",
        "solana_token_destination",
    ),
    (
        "predefined_transactions: Transfer Token - predefined - with definitions",
        "solana_token_destination",
    ),
    ("stake_program: Authorize", "other instruction"),
    ("stake_program: Authorize Checked", "other instruction"),
    (
        "stake_program: Authorize Checked with Seed",
        "other instruction",
    ),
    ("stake_program: Authorize With Seed", "other instruction"),
    ("stake_program: Create Stake Account", "other signers"),
    ("stake_program: Deactivate", "other instruction"),
    ("stake_program: Delegate", "other instruction"),
    ("stake_program: Initialize Checked", "other instruction"),
    (
        "stake_program: Initialize Stake Account",
        "other instruction",
    ),
    ("stake_program: Merge", "other instruction"),
    (
        "stake_program: Set Lockup - with all params set",
        "other instruction",
    ),
    (
        "stake_program: Set Lockup - with epoch only",
        "other instruction",
    ),
    ("stake_program: Set Lockup Checked", "other instruction"),
    ("stake_program: Split", "other signers"),
    ("stake_program: Withdraw", "other instruction"),
    (
        "staking_transactions: Claim instructions",
        "other instruction",
    ),
    (
        "staking_transactions: Claim instructions with warning",
        "other instruction",
    ),
    (
        "staking_transactions: Multiple claim instructions",
        "other instruction",
    ),
    (
        "staking_transactions: Multiple unstake instructions",
        "other instruction",
    ),
    (
        "staking_transactions: Stake instructions",
        "other instruction",
    ),
    (
        "staking_transactions: Stake instructions on Everstake",
        "other instruction",
    ),
    (
        "staking_transactions: Stake instructions with warning",
        "other instruction",
    ),
    (
        "staking_transactions: Unstake instructions",
        "other instruction",
    ),
    ("system_program: Advance Nonce Account", "other instruction"),
    ("system_program: Allocate", "other instruction"),
    ("system_program: Allocate With Seed", "other instruction"),
    ("system_program: Assign", "other instruction"),
    ("system_program: Assign With Seed", "other instruction"),
    (
        "system_program: Authorize Nonce Account",
        "other instruction",
    ),
    ("system_program: Create Account", "other signers"),
    (
        "system_program: Create Account With Seed",
        "other instruction",
    ),
    (
        "system_program: Initialize Nonce Account",
        "other instruction",
    ),
    ("system_program: Lookup tables", "solana_lookup_table"),
    ("system_program: Transfer", "signed alike"),
    ("system_program: Transfer Multisig", "other signers"),
    ("system_program: Transfer With Seed", "other instruction"),
    ("system_program: Upgrade Nonce", "other instruction"),
    (
        "system_program: Withdraw Nonce Account",
        "other instruction",
    ),
    ("token_program: Approve", "other instruction"),
    ("token_program: Approve Checked", "other instruction"),
    ("token_program: Approve Checked - Multisig", "other signers"),
    (
        "token_program: Approve Checked with Token Definition",
        "other instruction",
    ),
    ("token_program: Burn", "other instruction"),
    ("token_program: Burn Checked", "other signers"),
    ("token_program: Burn Checked - Multisig", "other signers"),
    (
        "token_program: Burn Checked with Token Definition",
        "other signers",
    ),
    ("token_program: Close Account", "other instruction"),
    ("token_program: Close Account - Multisig", "other signers"),
    ("token_program: Freeze Account", "other instruction"),
    ("token_program: Freeze Account - Multisig", "other signers"),
    ("token_program: Initialize Account", "other instruction"),
    (
        "token_program: Initialize Immutable Owner",
        "other instruction",
    ),
    ("token_program: Initialize Multisig", "other instruction"),
    (
        "token_program: Initialize Token Account 2",
        "other instruction",
    ),
    (
        "token_program: Initialize Token Account 3",
        "other instruction",
    ),
    ("token_program: Mint To", "other instruction"),
    ("token_program: Mint To Checked", "other instruction"),
    ("token_program: Mint To Checked - Multisig", "other signers"),
    (
        "token_program: Mint To Checked with Token Definition",
        "other instruction",
    ),
    ("token_program: Revoke", "other instruction"),
    ("token_program: Revoke - Multisig", "other signers"),
    ("token_program: Set Authority", "other instruction"),
    ("token_program: Set Authority - Multisig", "other signers"),
    ("token_program: Sync Native", "other instruction"),
    ("token_program: Thaw Account", "other instruction"),
    ("token_program: Thaw Account - Multisig", "other signers"),
    ("token_program: Transfer", "other instruction"),
    ("token_program: Transfer Checked", "solana_foreign_source"),
    (
        "token_program: Transfer Checked - Multisig",
        "other signers",
    ),
    (
        "token_program: Transfer Checked with Token Definition",
        "solana_foreign_source",
    ),
    (
        "unknown_instructions: Multiple unknown programs",
        "solana_unknown_program",
    ),
    (
        "unknown_instructions: Unknown instruction",
        "solana_signer_count",
    ),
];
