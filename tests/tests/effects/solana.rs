//! Generated Solana messages: transfers of lamports and tokens with accounts created for them, memos and
//! compute settings, calls of a registered program, and templates of stakes (`stakes`), in each accepted version,
//! paid for by the wallet or by somebody else, some with accounts out of lookup tables, written by hand down to the byte.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::solana::{Token, TokenProgram, associated_account};

use crate::random::{Random, blunt};
use crate::verdict::Case;
use crate::{changes_solana, extensions, programs, stakes};

/// Rules that 4,000 of them break.
pub(crate) const RULES: [&str; 51] = [
    "solana_account_index",
    "solana_associated_instruction",
    "solana_compute_budget_instruction",
    "solana_compute_unit_limit",
    "solana_duplicate_account",
    "solana_durable_nonce",
    "solana_fee_too_large",
    "solana_foreign_payer",
    "solana_foreign_source",
    "solana_header",
    "solana_header_setting",
    "solana_instruction_accounts",
    "solana_instruction_data",
    "solana_lookup_duplicate",
    "solana_lookup_empty",
    "solana_lookup_index",
    "solana_lookup_program",
    "solana_lookup_repeated",
    "solana_lookup_table",
    "solana_malformed",
    "solana_memo_accounts",
    "solana_memo_text",
    "solana_mint_writable",
    "solana_no_transfer",
    "solana_payer_read_only",
    "solana_privileged_program",
    "solana_program_accounts",
    "solana_program_data",
    "solana_program_sequence",
    "solana_recipient_read_only",
    "solana_repeated_compute_budget",
    "solana_repeated_creation",
    "solana_repeated_memo",
    "solana_signer_count",
    "solana_source_read_only",
    "solana_stake_account",
    "solana_stake_accounts",
    "solana_stake_amount",
    "solana_stake_authority",
    "solana_stake_instruction",
    "solana_stake_seed",
    "solana_stake_sequence",
    "solana_system_instruction",
    "solana_token_decimals",
    "solana_token_destination",
    "solana_token_instruction",
    "solana_transfer_to_self",
    "solana_unknown_mint",
    "solana_unknown_program",
    "solana_unknown_version",
    "solana_unused_creation",
];

pub(crate) type Key = [u8; 32];

pub(crate) const SYSTEM: Key = [0; 32];

pub(crate) fn key(text: &str) -> Key {
    *text.parse::<SolanaAddress>().unwrap().as_bytes()
}

pub(crate) fn budget() -> Key {
    key("ComputeBudget111111111111111111111111111111")
}

pub(crate) fn memo() -> Key {
    key("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
}

pub(crate) fn associated() -> Key {
    key("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
}

/// One account of an instruction.
#[derive(Clone)]
pub(crate) struct Use(pub(crate) Key, pub(crate) bool);

/// One instruction before accounts have indices.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) program: Key,
    pub(crate) uses: Vec<Use>,
    pub(crate) data: Vec<u8>,
}

/// A message before it has an account list.
pub(crate) struct Draft {
    pub(crate) case: Case,
    pub(crate) wallet: Key,
    /// Addresses that changes take from.
    pub(crate) pool: Vec<Key>,
    pub(crate) told: Vec<Told>,
    /// Accounts that no instruction names.
    pub(crate) unused: Vec<Use>,
    pub(crate) version: Version,
    /// Who pays the fee, if it is not the wallet.
    pub(crate) sponsor: Option<Key>,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Version {
    Legacy,
    Zero,
    One,
}

/// What the header of a message of version 1 says: the mask, and the values of what it names.
pub(crate) struct Settings {
    pub(crate) mask: u32,
    pub(crate) values: Vec<u8>,
}

/// What is loaded from a table: indices of what is written, and of what is read.
#[derive(Clone)]
pub(crate) struct Lookup {
    pub(crate) table: Key,
    pub(crate) writable: Vec<u8>,
    pub(crate) read_only: Vec<u8>,
}

/// The wire form, whatever it says.
pub(crate) struct Message {
    pub(crate) version: Vec<u8>,
    pub(crate) header: [u8; 3],
    pub(crate) keys: Vec<Key>,
    pub(crate) blockhash: Key,
    /// Program, accounts, data.
    pub(crate) instructions: Vec<(u8, Vec<u8>, Vec<u8>)>,
    pub(crate) tail: Vec<u8>,
    /// What version 0 looks up.
    pub(crate) lookups: Vec<Lookup>,
    /// Of version 1.
    pub(crate) settings: Option<Settings>,
    /// Which of its lengths is written longer than need be.
    pub(crate) long: Option<usize>,
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        if let Some(settings) = &self.settings {
            return self.encode_one(settings);
        }
        let mut lengths = 0;
        let mut compact = |length: usize| {
            lengths += 1;
            let mut bytes = Vec::new();
            let mut rest = length;
            while rest >= 0x80 {
                bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
                rest >>= 7;
            }
            bytes.push(u8::try_from(rest).unwrap());
            if self.long == Some(lengths - 1) {
                *bytes.last_mut().unwrap() |= 0x80;
                bytes.push(0);
            }
            bytes
        };
        let mut bytes = [&self.version[..], &self.header].concat();
        bytes.extend(compact(self.keys.len()));
        bytes.extend(self.keys.concat());
        bytes.extend(self.blockhash);
        bytes.extend(compact(self.instructions.len()));
        for (program, uses, data) in &self.instructions {
            bytes.push(*program);
            bytes.extend(compact(uses.len()));
            bytes.extend(uses);
            bytes.extend(compact(data.len()));
            bytes.extend(data);
        }
        if !self.lookups.is_empty() {
            bytes.extend(compact(self.lookups.len()));
        }
        for lookup in &self.lookups {
            bytes.extend(lookup.table);
            for indices in [&lookup.writable, &lookup.read_only] {
                bytes.extend(compact(indices.len()));
                bytes.extend(indices);
            }
        }
        bytes.extend(&self.tail);
        bytes
    }
}

impl Message {
    /// SIMD-0385.
    fn encode_one(&self, settings: &Settings) -> Vec<u8> {
        let short = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
        let mut bytes = [&self.version[..], &self.header].concat();
        bytes.extend(settings.mask.to_le_bytes());
        bytes.extend(self.blockhash);
        bytes.extend([short(self.instructions.len()), short(self.keys.len())]);
        bytes.extend(self.keys.concat());
        bytes.extend(&settings.values);
        for (program, uses, data) in &self.instructions {
            bytes.extend([*program, short(uses.len())]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        }
        for (_, uses, data) in &self.instructions {
            bytes.extend(uses);
            bytes.extend(data);
        }
        bytes.extend(&self.tail);
        bytes
    }
}

/// A fee and a limit, mostly; now and then something that is refused.
fn header_settings(random: &mut Random) -> Settings {
    // With and without the limit for loaded accounts (8).
    let mask = random.pick(&[
        0, 3, 4, 7, 7, 7, 7, 12, 15, 15, 15, 15, 11, 8, 1, 9, 23, 31, 32,
    ]);
    let fee = random.pick(&[0, 1, 5000, 1 << 40, u64::MAX - 5000, u64::MAX]);
    let units = random.pick(&[0, 450, 40_000, 1_399_999, 1_400_000, 1_400_000, 1_400_001]);
    let mut values = Vec::new();
    if mask & 3 != 0 {
        values.extend(u64::to_le_bytes(fee));
    }
    for bit in [4, 8, 16] {
        if mask & bit != 0 {
            values.extend(u32::to_le_bytes(units));
        }
    }
    Settings { mask, values }
}

impl Draft {
    /// Gives accounts their places: payer, what may be written, what is only read.
    pub(crate) fn compile(&self, random: &mut Random) -> Message {
        let programs = self.told.iter().map(|told| Use(told.program, false));
        let uses = self.told.iter().flat_map(|told| told.uses.clone());
        let sponsor = self.sponsor.map(|sponsor| Use(sponsor, true));
        let signers = 1 + usize::from(sponsor.is_some());
        let mut places: Vec<Use> = sponsor.into_iter().collect();
        places.push(Use(self.wallet, true));
        if signers == 2 {
            // Alone an authority, the wallet need not be written.
            let used = self.told.iter().flat_map(|told| &told.uses);
            let mut own = used.filter(|used| used.0 == self.wallet);
            places[1].1 = own.any(|used| used.1);
        }
        for Use(key, writable) in uses.chain(programs).chain(self.unused.clone()) {
            match places.iter_mut().find(|known| known.0 == key) {
                Some(known) => known.1 |= writable,
                None => places.push(Use(key, writable)),
            }
        }
        let read_only_signer = u8::from(!places[signers - 1].1);
        random.shuffle(&mut places[signers..]);
        places[signers..].sort_by_key(|place| !place.1);
        let (lookups, loaded) = self.looked_up(random, &mut places, signers);
        let index = |key: Key| {
            let mut keys = places.iter().map(|place| place.0).chain(loaded.clone());
            let place = keys.position(|known| known == key).unwrap();
            u8::try_from(place).unwrap()
        };
        let read_only = places[signers..].iter().filter(|place| !place.1).count();
        Message {
            version: match self.version {
                Version::Legacy => vec![],
                Version::Zero => vec![0x80],
                Version::One => vec![0x81],
            },
            header: [
                u8::try_from(signers).unwrap(),
                read_only_signer,
                u8::try_from(read_only).unwrap(),
            ],
            blockhash: random.bytes(),
            instructions: self
                .told
                .iter()
                .map(|told| {
                    let uses = told.uses.iter().map(|used| index(used.0));
                    (index(told.program), uses.collect(), told.data.clone())
                })
                .collect(),
            keys: places.iter().map(|place| place.0).collect(),
            tail: match self.version {
                Version::Zero if lookups.is_empty() => vec![0],
                _ => vec![],
            },
            lookups,
            settings: (self.version == Version::One).then(|| header_settings(random)),
            long: None,
        }
    }

    /// Takes accounts out of the list that a table holds, mostly no programs; what is looked up, and the accounts in
    /// the order in which their indices count on.
    fn looked_up(
        &self,
        random: &mut Random,
        places: &mut Vec<Use>,
        signers: usize,
    ) -> (Vec<Lookup>, Vec<Key>) {
        let mut lookups = Vec::new();
        let (mut written, mut read) = (Vec::new(), Vec::new());
        if self.version != Version::Zero {
            return (lookups, read);
        }
        let programs = random.chance(4);
        for (table, addresses) in &self.case.tables {
            let mut lookup = Lookup {
                table: *table.as_bytes(),
                writable: vec![],
                read_only: vec![],
            };
            for (place, address) in addresses.iter().enumerate() {
                let key = *address.as_bytes();
                let is_program = self.told.iter().any(|told| told.program == key);
                let listed = places.iter().skip(signers).position(|known| known.0 == key);
                let Some(listed) = listed.filter(|_| !is_program || programs) else {
                    continue;
                };
                if random.chance(20) {
                    continue;
                }
                let place = u8::try_from(place).unwrap();
                if places.remove(signers + listed).1 {
                    lookup.writable.push(place);
                    written.push(key);
                } else {
                    lookup.read_only.push(place);
                    read.push(key);
                }
            }
            if !lookup.writable.is_empty() || !lookup.read_only.is_empty() {
                lookups.push(lookup);
            }
        }
        (lookups, [written, read].concat())
    }

    /// Up to two tables, in which accounts of the message stand among others.
    fn pin(&mut self, random: &mut Random) {
        let uses = self.told.iter().flat_map(|told| &told.uses);
        let uses: Vec<Key> = uses.map(|used| used.0).collect();
        for _ in 0..1 + random.below(2) {
            let mut addresses: Vec<Key> =
                uses.iter().copied().filter(|_| random.chance(60)).collect();
            addresses.extend((0..random.below(4)).map(|_| random.bytes::<32>()));
            addresses.extend(self.told.iter().map(|told| told.program).take(1));
            random.shuffle(&mut addresses);
            let addresses = addresses.into_iter().map(SolanaAddress::from_bytes);
            let table = SolanaAddress::from_bytes(random.bytes());
            self.case.tables.push((table, addresses.collect()));
        }
    }
}

/// One case: a third as it is, the others changed in what they say, or in their bytes.
pub(crate) fn case(random: &mut Random) -> Case {
    let mut draft = draft(random);
    if random.chance(60) {
        draft.pin(random);
    }
    let way = random.below(100);
    if (40..85).contains(&way) {
        for _ in 0..1 + random.below(2) {
            if stakes::is_one(&draft) && random.chance(60) {
                stakes::change(random, &mut draft);
            } else if random.chance(7) {
                extensions::change(random, &mut draft);
            } else {
                changes_solana::draft(random, &mut draft);
            }
        }
    }
    let mut message = draft.compile(random);
    if (70..90).contains(&way) {
        changes_solana::message(random, &mut message);
    }
    let mut bytes = message.encode();
    if way >= 90 {
        blunt(random, &mut bytes);
    }
    Case {
        unsigned: bytes,
        ..draft.case
    }
}

/// One to six payments, and what belongs to them.
fn draft(random: &mut Random) -> Draft {
    let wallet = random.bytes();
    let recipients: [Key; 4] = std::array::from_fn(|_| random.bytes());
    let tokens = TokenProgram::ALL.map(|program| Token {
        mint: SolanaAddress::from_bytes(random.bytes()),
        decimals: random.byte() % 19,
        program,
    });
    let chain: ChainId = "solana:localnet".parse().unwrap();
    let account = |key: Key| Account::Solana(SolanaAddress::from_bytes(key));
    let version = random.pick(&[
        Version::Legacy,
        Version::Legacy,
        Version::Zero,
        Version::Zero,
        Version::One,
    ]);
    let sponsor = random.chance(25).then(|| random.bytes());
    let case = Case {
        owners: recipients.map(account).to_vec(),
        tokens: tokens.to_vec(),
        // Now and then a sponsor whom nobody let in, and now and then none where one may be.
        sponsored: sponsor.is_some() != random.chance(10),
        ..Case::of(chain, account(wallet))
    };
    if random.chance(20) {
        return stakes::staked(random, wallet, version, sponsor, case);
    }
    let (method, call) = programs::call(random, wallet, &tokens);
    if random.chance(20) {
        let mut told = vec![call];
        if version != Version::One || random.chance(5) {
            settings(random, &mut told);
        }
        let pool = told
            .iter()
            .flat_map(|one| one.uses.iter().map(|used| used.0));
        let pool = pool.chain([wallet, SYSTEM, memo()]).collect();
        return Draft {
            case: Case {
                program: Some(method),
                ..case
            },
            wallet,
            pool,
            told,
            unused: Vec::new(),
            version,
            sponsor,
        };
    }
    let mut payments = Vec::new();
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3, 4, 6]) {
        payments.extend(payment(random, wallet, &recipients, &tokens, &payments));
    }
    // Version 1 says it in its header; an instruction is one that the chain ignores.
    if version != Version::One || random.chance(5) {
        settings(random, &mut payments);
    }
    if random.chance(40) {
        let longest = "m".repeat(128);
        let text = random.pick(&["1", "invoice 4711", "a.b/c~d", &longest]);
        let told = Told {
            program: memo(),
            uses: vec![],
            data: text.into(),
        };
        let place = random.below(payments.len() + 1);
        payments.insert(place, told);
    }
    let programs = [SYSTEM, budget(), memo(), associated()];
    let pool = [wallet, sponsor.unwrap_or_else(|| random.bytes())]
        .into_iter()
        .chain(recipients)
        .chain(programs)
        .chain(tokens.iter().flat_map(|token| {
            let mint = token.mint;
            let own = associated_account(SolanaAddress::from_bytes(wallet), mint, token.program);
            [mint, token.program.id(), own].map(|address| *address.as_bytes())
        }));
    Draft {
        case,
        wallet,
        pool: pool.collect(),
        told: payments,
        unused: Vec::new(),
        version,
        sponsor,
    }
}

pub(crate) fn settings(random: &mut Random, told: &mut Vec<Told>) {
    let units = random.pick(&[0, 450, 40_000, 1_399_999, 1_400_000]);
    let price = random.pick(&[0, 1, 100_000, 999_999, 1 << 32, 1 << 40]);
    let limit = [&[2][..], &u32::to_le_bytes(units)].concat();
    let price = [&[3][..], &u64::to_le_bytes(price)].concat();
    for data in [limit, price] {
        if random.chance(70) {
            let place = random.below(told.len() + 1);
            let program = budget();
            let uses = vec![];
            told.insert(
                place,
                Told {
                    program,
                    uses,
                    data,
                },
            );
        }
    }
}

fn payment(
    random: &mut Random,
    wallet: Key,
    recipients: &[Key],
    tokens: &[Token],
    before: &[Told],
) -> Vec<Told> {
    let to = random.pick(recipients);
    let amount = random.next();
    let amount = random.pick(&[0, 1, 1 << 32, amount, amount, u64::MAX]);
    if random.chance(40) {
        let data = [&[2, 0, 0, 0][..], &amount.to_le_bytes()].concat();
        let uses = vec![Use(wallet, true), Use(to, true)];
        return vec![Told {
            program: SYSTEM,
            uses,
            data,
        }];
    }
    let token = random.pick(tokens);
    let program = *token.program.id().as_bytes();
    let of = |owner: Key| {
        *token
            .account_of(SolanaAddress::from_bytes(owner))
            .as_bytes()
    };
    let mint = *token.mint.as_bytes();
    let creation = Told {
        program: associated(),
        uses: vec![
            Use(wallet, true),
            Use(of(to), true),
            Use(to, false),
            Use(mint, false),
            Use(SYSTEM, false),
            Use(program, false),
        ],
        data: vec![1],
    };
    let created = before
        .iter()
        .any(|told| told.program == creation.program && told.uses[1].0 == creation.uses[1].0);
    let mut data = [&[12][..], &amount.to_le_bytes()].concat();
    data.push(token.decimals);
    let transfer = Told {
        program,
        uses: vec![
            Use(of(wallet), true),
            Use(mint, false),
            Use(of(to), true),
            Use(wallet, random.chance(50)),
        ],
        data,
    };
    if random.chance(40) && !created {
        vec![creation, transfer]
    } else {
        vec![transfer]
    }
}
