//! Bodies that ask for a call of a program: what is read, and what does not belong to one.

use super::*;
use crate::address::SolanaAddress;
use crate::policy::document::tests::full;

const PROGRAM: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";

fn body(rest: &str) -> String {
    format!(
        r#"{{"type":"call","signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet",{rest}}}"#
    )
}

fn resolved(rest: &str) -> Result<Claim, Code> {
    let request = TransferRequest::parse(body(rest).as_bytes())?;
    let wallet = SolanaAddress::from_bytes([1; 32]);
    request.resolve(&full(), Account::Solana(wallet))
}

/// The method of the full document: 4 bytes, an amount, an address, two bytes, a bool, up to 4 bytes more.
fn data(behind: &str) -> String {
    let amount = "0700000000000000";
    format!("0xa9059cbb{amount}{}010201{behind}", "01".repeat(32))
}

fn call(data: &str, accounts: usize) -> String {
    let accounts = vec![format!(r#""{PROGRAM}""#); accounts].join(",");
    format!(r#""program":"{PROGRAM}","data":"{data}","accounts":[{accounts}]"#)
}

#[test]
fn a_call_of_a_program_is_read_and_resolved() {
    for behind in ["", "01020304"] {
        let claim = resolved(&call(&data(behind), 4)).expect("sound");
        let told = claim.first().program.as_deref().expect("a call");
        assert_eq!(hex::encode(told.tail()), behind);
        assert_eq!(told.accounts.len(), 4);
        // Five lamports in each call, and what the first argument says of the token.
        let native = claim.chain().native_asset();
        assert_eq!(claim.first().amount, Amount::from_base_units(5));
        assert_eq!(told.leaving(native), claim.first().amount);
        let amounts = claim.effects().into_iter().map(|effect| effect.amount());
        let amounts: Vec<u128> = amounts.map(Amount::base_units).collect();
        assert_eq!(amounts, [5, 7]);
        assert_eq!(claim.program(), Some(&told.method));
    }
}

#[test]
fn what_is_not_registered_or_of_another_form_has_its_code() {
    for (rest, code) in [
        (call("0xa9059cbc", 4), Code::CallNotListed),
        (call("0x", 4), Code::CallNotListed),
        (call("0xa9059cbb", 4), Code::CallData),
        (call(&data("0102030405"), 4), Code::CallData),
        (call(&data(""), 3), Code::CallAccounts),
        (call(&data(""), 5), Code::CallAccounts),
        (
            call(&data(""), 4).replacen(PROGRAM, "@nobody", 1),
            Code::RecipientNotListed,
        ),
    ] {
        assert_eq!(resolved(&rest).err(), Some(code), "{rest}");
    }
}

#[test]
fn what_does_not_belong_to_a_call_of_a_program_is_refused() {
    let sound = call(&data(""), 4);
    for more in [
        r#""to":"@hosting""#,
        r#""contract":"@hosting""#,
        r#""function":"f()""#,
        r#""args":[]"#,
        r#""value":"1""#,
        r#""amount":"1""#,
        r#""amount_base":"1""#,
        r#""asset":"solana:localnet/slip44:501""#,
        r#""memo":"x""#,
        r#""seed":"a""#,
        r#""validator":"@one""#,
        r#""transfers":[]"#,
        r#""data":"0x01""#,
    ] {
        let rest = format!("{sound},{more}");
        assert_eq!(resolved(&rest).err(), Some(Code::BodyMalformed), "{more}");
    }
    for rest in [
        format!(r#""program":"{PROGRAM}","data":"0x01""#),
        format!(r#""program":"{PROGRAM}","accounts":[]"#),
        r#""data":"0x01","accounts":[]"#.to_owned(),
        call("01", 0),
        call("0x1", 0),
        call("0xAB", 0),
        call("0x01", 0).replace("[]", r#"["@hosting"]"#),
        call("0x01", 0).replacen(PROGRAM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 1),
    ] {
        assert_eq!(resolved(&rest).err(), Some(Code::BodyMalformed), "{rest}");
    }
    // Of another type, and on another chain.
    let transfer = body(&sound).replace(r#""type":"call","#, "");
    assert_eq!(
        TransferRequest::parse(transfer.as_bytes()),
        Err(Code::BodyMalformed)
    );
    let elsewhere = body(&sound).replace("solana:localnet", "eip155:31337");
    assert_eq!(
        TransferRequest::parse(elsewhere.as_bytes()),
        Err(Code::SolanaOnly)
    );
}
