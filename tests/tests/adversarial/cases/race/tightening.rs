//! A tightening in the same moment as signatures (P20): none by the earlier policy behind the answer.

use anyhow::{Result, ensure};
use waiaas_shared::amount::Amount;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::EVM;

use super::{BURST, burst, ground, matured, release_burst, some};
use crate::cases::time::FEE;
use crate::long::Rounds;
use crate::rig::Rig;
use crate::runner::Template;
use crate::stand::{DELAYED, INSTANT_UP_TO};

/// Where earlier documents go on binding: eight bind at most.
const TIGHTENINGS: u128 = 6;
/// Of the longest run: 10^5 races of one request each.
const WHOLE: u64 = 100_000 / 24;

pub(super) fn tightening_races(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut before = 0;
    for round in 1..=TIGHTENINGS {
        let amount = 10_000_000_000_000 - round * 1_000_000_000_000;
        let (requests, after) = (some(rig, BURST, amount)?, some(rig, 8, amount)?);
        let tighter = rig.next_policy(|document| {
            for rule in &mut document.assets {
                if rule.asset == EVM.native_asset() {
                    let least = Amount::from_base_units(FEE + amount - 1);
                    (rule.instant_up_to, rule.notify_up_to, rule.per_transaction) =
                        (least, least, least);
                    (rule.delay_up_to, rule.approve_up_to) = (least, least);
                    rule.fee_ceiling = Some(least);
                }
            }
        })?;
        let drafted = rig.draft(&StatementFacts::AdoptPolicy {
            document: tighter.to_bytes(),
        })?;
        let signature = rig.owner_signature(&drafted.text)?;
        let gateway = rig.gateway();
        let adopt = async move || {
            gateway
                .submit_statement(drafted.statement, &[signature])
                .await?;
            Ok(())
        };
        let (signed, afterwards) = burst(rig, requests, after, adopt)?;
        rig.record.accepted += 1;
        ensure!(
            afterwards == 0,
            "{afterwards} signed under the earlier policy"
        );
        before += signed;
    }
    // The same against what has waited: the documents of the moment of signing count.
    let mut early = matured(rig, 8)?;
    let late = early.split_off(4);
    let tighter = rig.next_policy(|document| {
        for rule in &mut document.assets {
            let most = Amount::from_base_units(DELAYED - 1);
            (rule.per_transaction, rule.approve_up_to) =
                (most.min(rule.per_transaction), most.min(rule.approve_up_to));
            rule.delay_up_to = most.min(rule.delay_up_to);
            rule.notify_up_to = most.min(rule.notify_up_to);
            rule.instant_up_to = most.min(rule.instant_up_to);
        }
    })?;
    let drafted = rig.draft(&StatementFacts::AdoptPolicy {
        document: tighter.to_bytes(),
    })?;
    let signature = rig.owner_signature(&drafted.text)?;
    let gateway = rig.gateway();
    let adopt = async move || {
        gateway
            .submit_statement(drafted.statement, &[signature])
            .await?;
        Ok(())
    };
    let (released, afterwards) = release_burst(rig, early, late, adopt)?;
    rig.record.accepted += 1;
    ensure!(
        afterwards == 0,
        "{afterwards} released under the earlier policy"
    );
    rig.use_up("the policy was tightened");
    let (more, left) = again_and_again(template)?;
    Ok(format!(
        "{TIGHTENINGS} tightenings in bursts: {before} signed before, none after; {more} more among {BURST} requests each where each document ends the one before: {left} before, none after; {released} matured payments released before another, none after; the log by the second calculator"
    ))
}

/// On test networks, where a document ends the one before: tightened and loosened in turn, the requests of each
/// burst racing the tightening. How many tightenings, and how many payments were signed before them.
fn again_and_again(template: &Template) -> Result<(u64, usize)> {
    let rounds = Rounds::new("P20", 8, WHOLE);
    let many = rounds.all();
    let mut before = 0;
    let amount = INSTANT_UP_TO / 2;
    let done = ground::on_grounds(template, rounds, |rig, ground| {
        ground.another();
        let (requests, after) = (some(rig, BURST, amount)?, some(rig, 4, amount)?);
        let wide = rig.next_policy(|_| {})?;
        let tighter = rig.next_policy(|document| narrow(document, FEE + amount - 1))?;
        // Texts of policies by the hundred: a gateway's quota of them is a megabyte a day.
        let drafted = rig.draft_at_home(&StatementFacts::AdoptPolicy {
            document: tighter.to_bytes(),
        })?;
        let signature = rig.owner_signature(&drafted.text)?;
        let gateway = rig.gateway();
        let adopt = async move || {
            gateway
                .submit_statement(drafted.statement, &[signature])
                .await?;
            Ok(())
        };
        let (signed, afterwards) = burst(rig, requests, after, adopt)?;
        rig.record.accepted += 1;
        ensure!(
            afterwards == 0,
            "{afterwards} signed under the earlier policy"
        );
        before += signed;
        let epoch = tighter.epoch + 1;
        let wide = PolicyDocument { epoch, ..wide };
        rig.say_at_home(&StatementFacts::AdoptPolicy {
            document: wide.to_bytes(),
        })?;
        Ok(())
    })?;
    ensure!(done == many, "{done} of {many} tightenings");
    Ok((many, before))
}

/// Nothing of the EVM chain's coin above this.
fn narrow(document: &mut PolicyDocument, most: u128) {
    for rule in &mut document.assets {
        if rule.asset == EVM.native_asset() {
            let least = Amount::from_base_units(most);
            (rule.instant_up_to, rule.notify_up_to, rule.per_transaction) = (least, least, least);
            (rule.delay_up_to, rule.approve_up_to) = (least, least);
            rule.fee_ceiling = Some(least);
        }
    }
}
