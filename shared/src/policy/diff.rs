//! What a policy document changes against the one adopted before it, in words. Judges nothing: what
//! loosens waits because earlier documents still bind. What is neither clearly tighter nor nothing
//! counts as a loosening. Called by `statement::text` and by the owner's command line.

use std::collections::HashMap;

use super::document::PolicyDocument;
use super::items::{Item, NO_LIMIT, Place, Presence, Rank, Section, Style, sections};

/// The changes from one document to the next, in the documents' order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// Each change that lets more pass, or sooner.
    pub loosenings: Vec<Change>,
    /// Each change that lets less pass, or later.
    pub tightenings: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// In what kind of entry.
    pub place: Place,
    /// Whether the whole entry comes or goes.
    pub whole: bool,
    /// In words.
    pub words: String,
}

/// Compares two documents, both checked.
#[must_use]
pub fn diff(before: &PolicyDocument, after: &PolicyDocument) -> Diff {
    let mut diff = Diff {
        loosenings: Vec::new(),
        tightenings: Vec::new(),
    };
    let (before, after) = (by_label(before), by_label(after));
    for (label, section) in &after.sections {
        match before.find(label) {
            Some(known) => diff.section(known, section),
            None => diff.whole(section, "new", section.presence == Presence::Grant),
        }
    }
    for (label, section) in &before.sections {
        if after.find(label).is_none() {
            diff.whole(section, "no more", section.presence != Presence::Grant);
        }
    }
    diff
}

/// A document's entries in its order, and where to find each.
struct Labelled {
    sections: Vec<(String, Section)>,
    places: HashMap<String, usize>,
}

impl Labelled {
    fn find(&self, label: &str) -> Option<&Section> {
        let place = self.places.get(label)?;
        self.sections.get(*place).map(|(_, section)| section)
    }
}

fn by_label(document: &PolicyDocument) -> Labelled {
    let sections: Vec<_> = sections(document, Style::Exact)
        .into_iter()
        .map(|section| (section.label.clone(), section))
        .collect();
    let labels = sections.iter().enumerate();
    let places = labels
        .map(|(place, (label, _))| (label.clone(), place))
        .collect();
    Labelled { sections, places }
}

impl Diff {
    fn push(&mut self, loosens: bool, change: Change) {
        if loosens {
            self.loosenings.push(change);
        } else {
            self.tightenings.push(change);
        }
    }

    fn whole(&mut self, section: &Section, verb: &str, loosens: bool) {
        let change = Change {
            place: section.place,
            whole: true,
            words: format!("{verb} {}", section.summary),
        };
        self.push(loosens, change);
    }

    /// Both sections have one label.
    fn section(&mut self, before: &Section, after: &Section) {
        let (known, kept) = (by_name(before), by_name(after));
        for item in &after.items {
            match known.get(item.name.as_str()) {
                Some(known) => self.item(after, known, item),
                None => self.item(after, &unlimited(item), item),
            }
        }
        for item in &before.items {
            if !kept.contains_key(item.name.as_str()) {
                self.item(after, item, &unlimited(item));
            }
        }
    }

    fn item(&mut self, section: &Section, before: &Item, after: &Item) {
        // Amounts are compared, not how they are written: a changed unit is a change of its own.
        let changed = match (&before.rank, &after.rank) {
            (Rank::Choice, Rank::Choice) => before.value != after.value,
            (before, after) => before != after,
        };
        if !changed {
            return;
        }
        let label = if section.label.is_empty() {
            String::new()
        } else {
            format!("{}, ", section.label)
        };
        let words = match (&before.rank, &after.rank) {
            (Rank::Row(before), Rank::Row(after)) => row(before, after),
            _ => format!("{} instead of {}", after.value, before.value),
        };
        let change = Change {
            place: section.place,
            whole: false,
            words: format!("{label}{}: {words}", after.name),
        };
        self.push(loosens(&before.rank, &after.rank), change);
    }
}

fn by_name(section: &Section) -> HashMap<&str, &Item> {
    let items = section.items.iter();
    items.map(|item| (item.name.as_str(), item)).collect()
}

/// The limit that a document without this one has.
fn unlimited(item: &Item) -> Item {
    Item {
        name: item.name.clone(),
        value: NO_LIMIT.to_owned(),
        rank: Rank::Ceiling(None),
    }
}

/// Places of a row whose change is written out; of more only how many there are.
const ROW_SHOWN: usize = 4;

/// What differs between two rows, by place.
fn row(before: &[String], after: &[String]) -> String {
    let longer = before.len().max(after.len());
    let changed = (0..longer).filter_map(|place| match (before.get(place), after.get(place)) {
        (Some(before), Some(after)) if before == after => None,
        (Some(before), Some(after)) => Some(format!("{place} is {after} instead of {before}")),
        (None, Some(after)) => Some(format!("{place} is {after}, new")),
        (before, None) => before.map(|before| format!("{place} is no more {before}")),
    });
    let changed: Vec<String> = changed.collect();
    let shown = if changed.len() <= ROW_SHOWN {
        changed.join(", ")
    } else {
        format!("{} changed or new", changed.len())
    };
    format!(
        "{shown}; {} instead of {} in all",
        after.len(),
        before.len()
    )
}

/// Whether a changed value is not clearly tighter.
fn loosens(before: &Rank, after: &Rank) -> bool {
    match (before, after) {
        (Rank::Ceiling(before), Rank::Ceiling(after)) => {
            after.is_none_or(|after| before.is_some_and(|before| after > before))
        }
        (Rank::Floor(before), Rank::Floor(after)) => after < before,
        (Rank::Leave(_), Rank::Leave(after)) => *after,
        (Rank::Only(before), Rank::Only(after)) => match (before, after) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(before), Some(after)) => !after.is_subset(before),
        },
        (Rank::Members(before), Rank::Members(after)) => !before.is_subset(after),
        (Rank::Row(before), Rank::Row(after)) => !before.starts_with(after),
        _ => true,
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
