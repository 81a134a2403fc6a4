//! Sites at which agents may sign in, in words.

use std::collections::BTreeSet;

use super::words::window_in_words;
use super::{Item, NO_LIMIT, Place, Presence, Rank, Section, lifetime, only, tier};
use crate::policy::sign_in::SignInRule;
use crate::policy::windows::Window;

pub(super) fn site(rule: &SignInRule) -> Section {
    let usual = || format!("https://{}", rule.domain);
    let above = rule.uri.clone().unwrap_or_else(usual);
    let mut items = vec![
        only("networks", Some(rule.networks.as_slice())),
        Item {
            name: "address in the message, at or below".to_owned(),
            value: above.clone(),
            rank: Rank::Choice,
        },
        tier("tier, at least", Some(rule.tier)),
        lifetime("a message holds at most", Some(rule.valid_for)),
    ];
    let mut most = Vec::new();
    for window in Window::ALL {
        let count = rule.counts.window(window);
        let name = window_in_words(window);
        most.extend(count.map(|count| format!("{count} in any {name}")));
        items.push(Item {
            name: format!("most logins of one wallet in any {name}"),
            value: count.map_or_else(|| NO_LIMIT.to_owned(), |count| count.to_string()),
            rank: Rank::Ceiling(count.map(u128::from)),
        });
    }
    let resources: BTreeSet<String> = rule.resources.iter().cloned().collect();
    items.push(Item {
        name: "resources in the message".to_owned(),
        value: if resources.is_empty() {
            "none".to_owned()
        } else {
            super::joined(&resources)
        },
        rank: Rank::Only(Some(resources)),
    });
    let label = format!("sign-in at {}", rule.domain);
    Section {
        place: Place::Other,
        summary: format!(
            "{label}, {}, under {above}, at most {}",
            rule.tier.as_str(),
            most.join(", ")
        ),
        label,
        items,
        presence: Presence::Grant,
    }
}
