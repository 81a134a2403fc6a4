//! What is offered at each speed, and what a chain's own trial says against a transaction.

use super::*;

#[tokio::test]
async fn what_a_contract_says_is_told_in_words() {
    let data = |content: &str| {
        let length = format!("{:064x}", content.len());
        let offset = format!("{:064x}", 32);
        json!(format!(
            "0x08c379a0{offset}{length}{}",
            hex::encode(content)
        ))
    };
    for (data, words) in [
        (data("not today\u{1b}"), "execution reverted: not today?"),
        (
            json!(format!("0x4e487b71{:064x}", 0x12)),
            "execution reverted: a division by zero",
        ),
        (
            json!("0xe450d38c"),
            "execution reverted: the sender does not hold that much of the token",
        ),
        (json!("0x"), "reverted"),
        (json!({ "deep": [[[]]] }), "reverted"),
    ] {
        let reply = data.clone();
        let node = evm_node(move |method, _| {
            (method == "eth_estimateGas").then(|| Reply::ErrorWith(3, "reverted", reply.clone()))
        });
        let chain = chain_of("eip155:31337", &[&node.url()], "");
        let reason = ChainText::new(words);
        assert_eq!(
            prepare_evm(&chain).await,
            Err(ChainError::WouldFail { reason }),
            "{data}"
        );
    }
    // And a program's last line.
    let node = solana_node(|method, _| {
        let logs = json!([
            "Program log: Instruction: Transfer",
            "Program log: Error: no more"
        ]);
        let value = json!({ "err": "InsufficientFundsForFee", "logs": logs });
        let told = json!({ "context": { "slot": 2000 }, "value": value });
        (method == "simulateTransaction").then_some(Reply::Result(told))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let unsigned = prepare_solana(&chain).await.expect("honest").unsigned;
    let words = "the wallet does not hold the fee (InsufficientFundsForFee); the program says: Error: no more";
    let reason = ChainText::new(words);
    assert_eq!(
        chain
            .simulate(&unsigned, account(CAROL), Known::NOTHING)
            .await,
        Err(ChainError::WouldFail { reason })
    );
}

/// A speed moves a fee, and no speed moves a ceiling.
#[tokio::test]
async fn invariant_03_no_speed_moves_a_ceiling() {
    let evm = evm_node(|method, _| {
        let huge = "0xffffffffffffffffffffffffffffffff";
        let history = json!({ "baseFeePerGas": ["0x1"], "reward": [["0x5", "0x7", huge]] });
        (method == "eth_feeHistory").then_some(Reply::Result(history))
    });
    let evm = chain_of("eip155:31337", &[&evm.url()], "");
    let solana = solana_node(|method, _| {
        let fees = json!([{ "slot": 1, "prioritizationFee": u64::MAX }, { "slot": 2, "prioritizationFee": 1 }]);
        (method == "getRecentPrioritizationFees").then_some(Reply::Result(fees))
    });
    let solana = chain_of(DEVNET, &[&solana.url()], "");
    for (chain, from, to, limit) in [
        (&evm, ALICE, BOB, 21_000 * 30 * GWEI),
        (&solana, CAROL, DAVE, 6000),
    ] {
        let mut before = coins(0);
        for speed in Speed::ALL {
            let ceiling = Some(coins(limit));
            let offer = Offer { ceiling, speed };
            let asked = pays(chain, to, 5);
            let terms = NetworkTerms::default();
            let prepared = chain.prepare_transfer(account(from), &asked, offer, terms);
            let prepared = prepared.await.expect("affordable");
            assert!(prepared.fee_max >= before, "{speed:?}");
            assert!(prepared.fee_max <= coins(limit), "{speed:?}");
            let read = decode(
                chain.id(),
                account(from),
                &prepared.unsigned,
                Known::NOTHING,
            );
            assert_eq!(read.expect("readable").fee_max(), prepared.fee_max);
            before = prepared.fee_max;
        }
        let estimates = chain.fee_estimates(coins(limit), NetworkTerms::default());
        let estimates = estimates.await.expect("answered");
        let told: Vec<Speed> = estimates.iter().map(|estimate| estimate.speed).collect();
        assert_eq!(told, Speed::ALL);
        assert!(estimates.iter().all(|it| it.fee_max <= coins(limit)));
    }
}
