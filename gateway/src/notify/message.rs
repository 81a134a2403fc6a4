//! A message as every channel sends it: title, lines, what a program reads, and a link that decides nothing.

use serde_json::{Map, Value, json};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::time::WallTime;

use super::config::{ChannelConfig, Language};
use super::kind::Kind;
use super::names::Names;
use super::notice::{Notice, Own, Told};
use super::words::{self, Label, Line};

/// Characters of one message's lines; the least that a channel takes is 2,000 (Discord).
const TEXT_LIMIT: usize = 1800;
/// Characters of one line.
const LINE_LIMIT: usize = 300;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name: the same each time that it is sent.
    pub name: String,
    /// What it tells of.
    pub kind: Kind,
    /// When that happened.
    pub at: WallTime,
    /// What happened, in a few words.
    pub title: String,
    /// The rest, a line each.
    pub lines: Vec<String>,
    /// The signing page.
    pub link: Option<String>,
    /// The same for programs.
    pub data: Map<String, Value>,
}

impl Message {
    /// Title and lines, without the link.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        for line in &self.lines {
            text.push('\n');
            text.push_str(line);
        }
        text
    }
}

/// What is told of an event, to whoever reads it elsewhere than in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telling {
    /// What happened, in a few words; empty where nobody is told of it.
    pub(crate) title: String,
    /// The rest, a line each.
    pub(crate) lines: Vec<String>,
}

/// An event in words, as a channel of this language would tell it.
pub(crate) fn told(
    event: &Event,
    sequence: u64,
    names: &Names,
    now: WallTime,
    language: Language,
) -> Telling {
    let notice = Notice {
        name: String::new(),
        at: event.clocks.wall,
        told: Told::Event(sequence, Box::new(event.clone())),
    };
    let (title, mut lines) = words::of(&notice, names, now, language);
    // Time and name of the message: whoever reads this has both beside it.
    lines.pop();
    Telling {
        title: cut(&title, LINE_LIMIT),
        lines: fitted(lines, language),
    }
}

/// Puts a message together.
pub(super) fn compose(
    notice: &Notice,
    channel: &ChannelConfig,
    names: &Names,
    approval_origin: Option<&str>,
    now: WallTime,
) -> Message {
    let kind = notice.kind().unwrap_or(Kind::Trial);
    let (title, lines) = words::of(notice, names, now, channel.language);
    let lines = lines
        .into_iter()
        .filter(|line| !channel.terse || line.is_harmless());
    let lines = fitted(lines.collect(), channel.language);
    let asks = match &notice.told {
        Told::Event(_, event) => matches!(event.body, EventBody::IntentOpened(_)),
        Told::Own(_) => false,
    };
    let link = approval_origin.filter(|_| asks);
    Message {
        name: notice.name.clone(),
        kind,
        at: notice.at,
        title: cut(&title, LINE_LIMIT),
        lines,
        link: link.map(|origin| format!("{origin}/sign")),
        data: data(notice, channel.terse),
    }
}

/// The lines as they are shown. Where they are too many or too long, what is done is told in part, and who asks, how
/// long still and how to stop it in any case.
fn fitted(mut lines: Vec<Line>, language: Language) -> Vec<String> {
    let shown = |line: &Line| cut(&line.shown(language), LINE_LIMIT);
    let length = |lines: &[Line]| -> usize {
        let each = lines.iter().map(|line| shown(line).chars().count() + 1);
        each.sum()
    };
    let mut left_out = false;
    while length(&lines) > TEXT_LIMIT {
        let Some(last) = lines.iter().rposition(|line| line.label == Label::Does) else {
            break;
        };
        lines.remove(last);
        left_out = true;
    }
    let mut lines: Vec<String> = lines.iter().map(shown).collect();
    if left_out {
        lines.insert(0, more(language).to_owned());
    }
    lines
}

const fn more(language: Language) -> &'static str {
    match language {
        Language::English => "(more than can be told here: waiaas payment list, waiaas audit show)",
        Language::Korean => "(일부 생략: waiaas payment list, waiaas audit show)",
    }
}

/// One line without what moves the cursor or turns the direction of writing, cut to so many characters.
fn cut(text: &str, limit: usize) -> String {
    let plain = |character: char| {
        let turns = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if character.is_control() || turns {
            '\u{fffd}'
        } else {
            character
        }
    };
    let mut cut: String = text.chars().take(limit).map(plain).collect();
    if text.chars().nth(limit).is_some() {
        cut.push('…');
    }
    cut
}

/// What a program reads: what the message is about, by identifier; amounts in base units.
fn data(notice: &Notice, terse: bool) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| {
        data.insert(key.to_owned(), value);
    };
    match &notice.told {
        Told::Event(sequence, event) => {
            put("sequence", json!(sequence));
            let about = event.body.about();
            if let Some(session) = about.session {
                put("session", json!(session));
            }
            if let Some(wallet) = about.wallet {
                put("wallet", json!(wallet));
            }
            if !about.transactions.is_empty() {
                let all: Vec<&TransactionId> = about.transactions.iter().collect();
                put("transactions", json!(all));
            }
            if !terse {
                let moves: Vec<Value> = words::moves(event, *sequence)
                    .iter()
                    .map(|moved| {
                        json!({
                            "action": moved.action.as_str(),
                            "asset": moved.asset.to_string(),
                            "amount_base": moved.amount.base_units().to_string(),
                            "to": moved.to.to_string(),
                        })
                    })
                    .collect();
                if !moves.is_empty() {
                    put("moves", json!(moves));
                }
            }
            if let EventBody::IntentOpened(intent) = &event.body {
                put("tier", json!(intent.tier().as_str()));
                put("expires", json!(intent.expires.rfc3339()));
                if let Some(ready) = words::ready(intent, event.clocks.wall) {
                    put("ready", json!(ready.rfc3339()));
                }
            }
            if let EventBody::DenialsCounted { code, count, .. } = &event.body {
                put("code", json!(code.as_str()));
                put("count", json!(count));
            }
        }
        Told::Own(own) => match own {
            Own::Begins { sequence } => put("sequence", json!(sequence)),
            Own::Silent { channel, since } => {
                put("channel", json!(channel));
                put("since", json!(since.rfc3339()));
            }
            Own::Failed {
                transaction,
                wallet,
                ..
            } => {
                put("transactions", json!([transaction]));
                put("wallet", json!(wallet));
            }
            Own::Weekly {
                head,
                sequence,
                signed,
                waiting,
            } => {
                put("head", json!(head));
                put("sequence", json!(sequence));
                put("signed", json!(signed));
                put("waiting", json!(waiting));
            }
            Own::Trial { channel } => put("channel", json!(channel)),
        },
    }
    data
}

impl Line {
    /// As it is shown.
    fn shown(&self, language: Language) -> String {
        match self.label.text(language) {
            "" => self.text.clone(),
            label => format!("{label}: {}", self.text),
        }
    }
}
