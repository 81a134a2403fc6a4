//! Generated methods of programs, as an owner registers them, and a call of each.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::solana::{Field, FieldKind, Leaving, ProgramMethod, Token};

use crate::random::Random;
use crate::solana::{Key, Told, Use};

/// A method that somebody registered, and a call of it.
pub(crate) fn call(random: &mut Random, wallet: Key, tokens: &[Token]) -> (ProgramMethod, Told) {
    let chain: ChainId = "solana:localnet".parse().unwrap();
    let mint = random.pick(tokens).mint;
    let token: AssetId = format!("{chain}/token:{mint}").parse().unwrap();
    let assets = [chain.native_asset(), token];
    let kinds = [
        "u8", "u16", "u32", "u64", "u128", "bool", "address", "bytes5",
    ];
    let fields: Vec<Field> = (0..random.below(4))
        .map(|_| {
            let kind: FieldKind = random.pick(&kinds).parse().unwrap();
            let counts = kind.largest().is_some_and(|most| most <= u64::MAX.into());
            let spends = (counts && random.chance(50)).then(|| random.pick(&assets));
            Field { kind, spends }
        })
        .collect();
    let begins: Key = random.bytes();
    let begins = begins[..1 + random.below(8)].to_vec();
    let tail = u16::from(random.byte() % 6);
    let mut data = begins.clone();
    for field in &fields {
        match field.kind {
            FieldKind::Bool => data.push(random.byte() % 2),
            kind => {
                let value: Key = random.bytes();
                data.extend(&value[..kind.length()]);
            }
        }
    }
    data.extend((0..random.below(usize::from(tail) + 1)).map(|_| 7));
    let mut uses: Vec<Use> = (0..random.below(5))
        .map(|_| Use(random.bytes(), random.chance(50)))
        .collect();
    if random.chance(60) {
        uses.insert(random.below(uses.len() + 1), Use(wallet, true));
    }
    let outflow = assets.iter().filter(|_| random.chance(50));
    let outflow: Vec<Leaving> = outflow
        .map(|asset| Leaving {
            asset: *asset,
            up_to: Amount::from_base_units(5_000),
        })
        .collect();
    let program: Key = random.bytes();
    let method = ProgramMethod {
        program: SolanaAddress::from_bytes(program),
        begins,
        fields,
        tail,
        accounts: uses.iter().map(|used| used.1).collect(),
        outflow,
    };
    let told = Told {
        program,
        uses,
        data,
    };
    (method, told)
}
