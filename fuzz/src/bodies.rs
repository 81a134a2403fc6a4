//! Bodies of requests that carry no transaction, and the grammar of calls: what an agent writes as text. Nothing here
//! is encoded again by the product, so the promise is that one form of what was read reads as the same.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::Family;
use waiaas_shared::evm::abi::{Function, Invocation, Kind, PARAMETERS_LIMIT};
use waiaas_shared::evm::{self, Registered};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::toml_form;
use waiaas_shared::request::{AuthorizationRequest, SignInRequest, TransferRequest};
use waiaas_shared::sign_in::{SignIn, SignInMessage};
use waiaas_shared::time::{Millis, WallTime};

const EVM_WALLET: EvmAddress = EvmAddress::from_bytes([7; 20]);
const WHO: &str =
    r#""signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001""#;
const TOKEN: &str = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for one in text.chars() {
        match one {
            '"' | '\\' => quoted.extend(['\\', one]),
            _ if u32::from(one) < 0x20 => quoted += &format!("\\u{:04x}", u32::from(one)),
            _ => quoted.push(one),
        }
    }
    quoted + "\""
}

/// Seconds of a length; those beyond what milliseconds hold are one, the longest.
fn seconds(length: Millis) -> u64 {
    match length.millis() {
        u64::MAX => u64::MAX,
        millis => millis / 1000,
    }
}

/// A login at a web site.
pub fn sign_in_body(data: &[u8]) -> bool {
    let Ok(request) = SignInRequest::parse(data) else {
        return false;
    };
    let wallet = match request.network.family() {
        Family::Evm => Account::Evm(EVM_WALLET),
        Family::Solana => Account::Solana(SolanaAddress::from_bytes([7; 32])),
    };
    let mut written = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","domain":{},"uri":{},"nonce":{}"#,
        request.signer,
        request.wallet,
        request.network,
        quoted(&request.domain),
        quoted(&request.uri),
        quoted(&request.nonce),
    );
    for (field, text) in [
        ("statement", &request.statement),
        ("request_id", &request.request_id),
    ] {
        if let Some(text) = text {
            written += &format!(r#","{field}":{}"#, quoted(text));
        }
    }
    if let Some(length) = request.valid_for() {
        written += &format!(r#","expires_in":{}"#, seconds(length));
    }
    let resources: Vec<String> = request.resources.iter().map(|one| quoted(one)).collect();
    written += &format!(r#","resources":[{}]}}"#, resources.join(","));
    let again = SignInRequest::parse(written.as_bytes()).expect("what is written is read");
    assert_eq!(again.valid_for(), request.valid_for());
    let own = |one: &SignInRequest| {
        let texts = [&one.domain, &one.uri, &one.nonce].map(String::clone);
        (
            texts,
            one.statement.clone(),
            one.request_id.clone(),
            one.resources.clone(),
        )
    };
    assert_eq!(own(&again), own(&request), "another login was read");
    // The message that is signed for it has each field on a line of its own, and no other line.
    let issued = WallTime::from_millis(1_763_717_399_123);
    let message = SignInMessage::compose(&SignIn {
        chain: request.network,
        account: wallet,
        domain: request.domain.clone(),
        uri: request.uri.clone(),
        nonce: request.nonce.clone(),
        statement: request.statement.clone(),
        issued,
        expires: issued.after(Millis::from_secs(60)),
        request_id: request.request_id.clone(),
        resources: request.resources.clone(),
    });
    let message = message.expect("a body that is read has a message");
    let text = message.text();
    assert!(
        text.bytes()
            .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte))
    );
    let lines = text
        .lines()
        .filter(|line| line.contains(": ") || line.starts_with("- "));
    let of_statement = request
        .statement
        .iter()
        .filter(|line| line.contains(": ") || line.starts_with("- "));
    let expected = 6 + usize::from(request.request_id.is_some()) + request.resources.len();
    assert_eq!(lines.count(), expected + of_statement.count(), "{text}");
    true
}

/// One of each chain, and everything at once.
pub fn sign_in_body_seeds() -> Vec<Vec<u8>> {
    let site =
        r#""domain":"app.example.org","uri":"https://app.example.org/login","nonce":"12345678""#;
    [
        format!(r#"{{{WHO},"network":"eip155:1",{site}}}"#),
        format!(r#"{{{WHO},"network":"solana:localnet",{site},"expires_in":60}}"#),
        format!(
            r#"{{{WHO},"network":"eip155:8453",{site},"statement":"I accept: https://a.org/tos","request_id":"a-1","resources":["ipfs://a","https://a.org/b?c=d#e"],"expires_in":86400}}"#
        ),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A transfer by authorization.
pub fn authorization_body(data: &[u8]) -> bool {
    let Ok(request) = AuthorizationRequest::parse(data) else {
        return false;
    };
    let transfer = request.transfer();
    let [item] = transfer.items.as_slice() else {
        panic!("one payment")
    };
    assert_eq!(item.asset, Some(request.asset));
    assert_eq!(request.asset.chain(), request.network);
    let mut written = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{}","asset":"{}","to":{}"#,
        request.signer,
        request.wallet,
        request.network,
        request.asset,
        quoted(&item.to),
    );
    if let Some(amount) = &item.amount {
        written += &format!(r#","amount":{}"#, quoted(amount));
    }
    if let Some(amount) = item.amount_base {
        written += &format!(r#","amount_base":"{amount}""#);
    }
    if let Some(length) = request.valid_for() {
        written += &format!(r#","expires_in":{}"#, seconds(length));
    }
    written.push('}');
    let again = AuthorizationRequest::parse(written.as_bytes()).expect("what is written is read");
    assert_eq!(again.transfer(), transfer, "another payment was read");
    assert_eq!(again.valid_for(), request.valid_for());
    // No payment and no other request is read from it.
    assert!(SignInRequest::parse(data).is_err());
    if let Ok(paid) = TransferRequest::parse(data) {
        assert_eq!(request.valid_for(), None, "a payment that ends");
        assert_eq!(paid.items, transfer.items);
    }
    // What a policy makes of it: at most the one transfer, of the token that was named.
    let wallet = Account::Evm(EVM_WALLET);
    for document in [&PolicyDocument::closed(1), &example()] {
        if let Ok(claim) = transfer.resolve(document, wallet) {
            assert!(claim.more().is_empty());
            assert_eq!(claim.first().asset, request.asset);
        }
    }
    true
}

/// The example of the documentation, read once.
fn example() -> PolicyDocument {
    static TEXT: &str = include_str!("../../docs/examples/policy.toml");
    thread_local! {
        static EXAMPLE: PolicyDocument = toml_form::parse(TEXT).expect("a sound policy");
    }
    EXAMPLE.with(Clone::clone)
}

/// To an address and to a contact, in both units.
pub fn authorization_body_seeds() -> Vec<Vec<u8>> {
    let to = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let rest = format!(r#"{{{WHO},"network":"eip155:31337","asset":"{TOKEN}""#);
    [
        format!(r#"{rest},"to":"@hosting","amount":"0.01"}}"#),
        format!(r#"{rest},"to":"{to}","amount_base":"10000","expires_in":60}}"#),
        format!(r#"{rest},"to":"{to}","amount":"1","expires_in":900}}"#),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A function as Solidity names it, and behind it each argument in a line.
pub fn abi_call(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let mut lines = text.split('\n');
    let Ok(function) = lines.next().unwrap_or_default().parse::<Function>() else {
        return false;
    };
    assert_eq!(Some(function.to_string().as_str()), text.split('\n').next());
    assert!(function.parameters().len() <= PARAMETERS_LIMIT);
    assert_eq!(function.data_length(), 4 + 32 * function.parameters().len());
    let arguments: Vec<String> = lines.map(str::to_owned).collect();
    // Each value has one text, and each text one value.
    for (kind, text) in function.parameters().iter().zip(&arguments) {
        let named = kind.to_string().parse::<Kind>();
        assert_eq!(named, Ok(*kind));
        if let Ok(word) = kind.read(text) {
            assert!(kind.holds(&word));
            assert_eq!(kind.show(&word), *text, "another form was read");
        }
    }
    let Ok(told) = Invocation::read(EVM_WALLET, function.clone(), &arguments) else {
        return false;
    };
    assert_eq!(told.shown(), arguments);
    let bytes = told.data();
    assert_eq!(bytes.len(), function.data_length());
    assert!(bytes.starts_with(&function.selector()));
    // As bytes it is read as itself, and shorter or longer not at all.
    let contract = EvmAddress::from_bytes([0xd4; 20]);
    let known = Registered::of(contract, &told);
    assert_eq!(
        Invocation::parse(EVM_WALLET, &known, &bytes).as_ref(),
        Ok(&told)
    );
    let (_, short) = bytes.split_first().expect("a selector");
    assert!(Invocation::parse(EVM_WALLET, &known, short).is_err());
    assert!(Invocation::parse(EVM_WALLET, &known, &[&bytes[..], &[0]].concat()).is_err());
    // A bit where no value of its type has one is another call, or none.
    for place in 4..bytes.len().min(4 + 64) {
        let mut changed = bytes.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 1;
        }
        if let Ok(other) = Invocation::parse(EVM_WALLET, &known, &changed) {
            assert_ne!(other, told);
            assert_eq!(other.data(), changed);
        }
    }
    let _ = evm::outflows(&told);
    true
}

/// Every kind of value at both of its ends.
pub fn abi_call_seeds() -> Vec<Vec<u8>> {
    let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let least = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
    [
        "deposit()".to_owned(),
        "deposit(uint256,address,bool,bytes4)\n700\n0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\ntrue\n0x6c656674".to_owned(),
        format!("f(uint256,int256,uint8,int8)\n{most}\n{least}\n255\n-128"),
        format!("_$9(bytes1,bytes32,bool)\n0xff\n0x{}\nfalse", "07".repeat(32)),
        "many(uint8,uint16,uint32,uint64,uint128,int16,int32,int64,int128,bool,bytes2,address)\n1\n2\n3\n4\n5\n-6\n-7\n-8\n-9\nfalse\n0x0102\n0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
