//! Documents that must be refused whole, one flaw each.

use super::*;

pub(crate) fn sample() -> PolicyDocument {
    let asset = |id: &str, outstanding: Option<u128>| AssetRule {
        asset: id.parse().expect(id),
        symbol: "COIN".to_owned(),
        decimals: Decimals::new(9).expect("in range"),
        per_transaction: Amount::from_base_units(100),
        hour: Amount::from_base_units(200),
        day: Amount::from_base_units(300),
        week: Amount::from_base_units(400),
        month: Amount::from_base_units(500),
        day_count: Some(10),
        instant_up_to: Amount::from_base_units(10),
        notify_up_to: Amount::from_base_units(50),
        fee_ceiling: Some(Amount::from_base_units(5)),
        outstanding: outstanding.map(Amount::from_base_units),
        sign_only: false,
    };
    let mut document = PolicyDocument {
        version: VERSION,
        epoch: 1,
        maturity: MATURITY_DEFAULT,
        assets: vec![
            asset("solana:localnet/slip44:501", None),
            asset("eip155:31337/slip44:60", Some(1000)),
        ],
        recipients: vec![Recipient {
            account: "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                .parse()
                .expect("an account"),
            name: "hosting".to_owned(),
        }],
    };
    document.sort();
    document
}

#[test]
fn a_sound_document_round_trips() {
    let document = sample();
    assert_eq!(
        PolicyDocument::from_bytes(&document.to_bytes()),
        Ok(document)
    );
}

#[test]
fn one_flaw_refuses_the_whole() {
    type Flaw = fn(&mut PolicyDocument);
    let flaws: [(PolicyError, Flaw); 14] = [
        (PolicyError::Version, |document| document.version = 2),
        (PolicyError::Epoch, |document| document.epoch = 0),
        (PolicyError::Maturity, |document| {
            document.maturity = Millis::from_hours(721)
        }),
        (PolicyError::AssetOrder, |document| {
            document.assets.reverse()
        }),
        (PolicyError::AssetOrder, |document| {
            document.assets.push(document.assets[1].clone())
        }),
        (PolicyError::RecipientOrder, |document| {
            document.recipients.push(document.recipients[0].clone())
        }),
        (PolicyError::Name, |document| {
            document.recipients[0].name = "Hosting".to_owned()
        }),
        (PolicyError::Name, |document| {
            document.assets[0].symbol = "U$D".to_owned()
        }),
        (PolicyError::Name, |document| {
            document.assets[0].symbol = String::new()
        }),
        (PolicyError::LimitOrder, |document| {
            document.assets[0].day = Amount::from_base_units(199)
        }),
        (PolicyError::LimitOrder, |document| {
            document.assets[0].instant_up_to = Amount::MAX
        }),
        (PolicyError::NativeOnly, |document| {
            document.assets[0].outstanding = Some(Amount::MAX)
        }),
        (PolicyError::NativeOnly, |document| {
            document.assets[1].outstanding = None
        }),
        (PolicyError::NativeOnly, |document| {
            document.assets[0].sign_only = true
        }),
    ];
    for (error, flaw) in flaws {
        let mut document = sample();
        flaw(&mut document);
        assert_eq!(PolicyDocument::from_bytes(&document.to_bytes()), Err(error));
    }
}

#[test]
fn unknown_fields_and_truncation_refuse_the_whole() {
    let bytes = sample().to_bytes();
    for length in 0..bytes.len() {
        assert!(PolicyDocument::from_bytes(&bytes[..length]).is_err());
    }
    // A sixth entry of the outer map.
    let mut more = bytes.clone();
    assert_eq!(more[0], 0xa5);
    more[0] = 0xa6;
    more.extend_from_slice(&[0x05, 0x01]);
    assert!(PolicyDocument::from_bytes(&more).is_err());
}
