//! What messages say, in both languages: a title, and lines with their labels. Shows; decides nothing. Statements,
//! rules and changes keep the signer's own English words: they are what an owner compares with what is signed.

mod happened;

use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::intent::{Intent, IntentEnd, Wait};
use waiaas_shared::policy::alarm::Trigger;
use waiaas_shared::policy::items::alarm_in_words;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::time::{Millis, WallTime};

use super::config::Language;
use super::names::Names;
use super::notice::{Notice, Own, Told};
use crate::payment::Payment;

macro_rules! labels {
    ($($label:ident: $english:literal, $korean:literal, $harmless:literal;)*) => {
        /// What a line says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Label {
            $($label,)*
        }

        impl Label {
            pub(super) const fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$label, Language::English) => $english,
                    (Self::$label, Language::Korean) => $korean,)*
                }
            }

            /// Whether it says neither amounts nor recipients nor names.
            const fn is_harmless(self) -> bool {
                match self {
                    $(Self::$label => $harmless,)*
                }
            }
        }
    };
}

labels! {
    Hint: "", "", true;
    Does: "Does", "내용", false;
    Memo: "Agent's memo", "에이전트 메모", false;
    Fee: "Fee at most", "최대 수수료", false;
    Wallet: "Wallet", "지갑", true;
    Session: "Session", "세션", true;
    Agent: "Agent", "에이전트", true;
    Payment: "Payment", "거래", true;
    Rules: "Rules it breaks", "위반 규칙", true;
    Why: "Why", "이유", true;
    Ready: "Signed from", "서명 시작", true;
    Until: "Ends", "만료", true;
    By: "By", "요청 경로", true;
    Site: "Site", "사이트", false;
    Details: "Details", "세부 사항", false;
    Stop: "To stop it", "중지하려면", true;
    Approve: "To approve it", "승인하려면", true;
    Channel: "Channel", "채널", true;
    Since: "Since", "시각", true;
    Head: "Signed head of the log", "로그의 서명된 헤드", true;
}

/// One line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: Label,
    pub(super) text: String,
}

impl Line {
    pub(super) fn is_harmless(&self) -> bool {
        self.label.is_harmless()
    }
}

/// Lines as they come.
#[derive(Debug)]
struct Lines {
    language: Language,
    lines: Vec<Line>,
}

impl Lines {
    fn put(&mut self, label: Label, text: impl ToString) {
        let text = text.to_string();
        self.lines.push(Line { label, text });
    }

    fn some(&mut self, label: Label, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.put(label, text);
        }
    }

    /// A sentence in the channel's language.
    fn say(&mut self, english: &str, korean: &str) {
        let text = self.pick(english, korean);
        self.put(Label::Hint, text);
    }

    const fn pick<'a>(&self, english: &'a str, korean: &'a str) -> &'a str {
        pick(self.language, english, korean)
    }
}

const fn pick<'a>(language: Language, english: &'a str, korean: &'a str) -> &'a str {
    match language {
        Language::English => english,
        Language::Korean => korean,
    }
}

/// Title and lines of a notice.
pub(super) fn of(
    notice: &Notice,
    names: &Names,
    now: WallTime,
    language: Language,
) -> (String, Vec<Line>) {
    let mut lines = Lines {
        language,
        lines: Vec::new(),
    };
    let title = match &notice.told {
        Told::Event(sequence, event) => {
            happened::happened(event, *sequence, names, now, &mut lines)
        }
        Told::Own(own) => said(own, &mut lines),
    };
    lines.put(Label::Hint, format!("{} · {}", notice.at, notice.name));
    (title.to_owned(), lines.lines)
}

/// What an event moves, as far as it names it.
pub(super) fn moves(event: &Event, sequence: u64) -> Vec<Transfer> {
    let payment = match &event.body {
        EventBody::IntentOpened(intent) => Some(Payment::of_intent(intent, sequence, event.clocks)),
        EventBody::SpendCommitted(spend)
        | EventBody::Withdrawn { spend, .. }
        | EventBody::SpendReplaced { spend, .. }
        | EventBody::TransferAuthorized { spend, .. } => {
            Payment::of_spend(spend, sequence, event.clocks.wall)
        }
        _ => None,
    };
    payment.map_or_else(Vec::new, |payment| {
        payment.facts.claim().transfers().cloned().collect()
    })
}

/// When a delay will have passed: an estimate, because it runs on the signer's own clock.
pub(super) fn ready(intent: &Intent, opened: WallTime) -> Option<WallTime> {
    match intent.wait {
        Wait::Delay { ready } => Some(opened.after(ready.since(intent.opened))),
        Wait::Approval { .. } => None,
    }
}

/// What the gateway itself has to say.
fn said(own: &Own, lines: &mut Lines) -> &'static str {
    let language = lines.language;
    let title = |english: &'static str, korean: &'static str| pick(language, english, korean);
    match own {
        Own::Begins { sequence } => {
            lines.say(
                "What happened before is in the log: waiaas audit show; what waits: waiaas payment list.",
                "이전 기록은 로그에 있습니다: waiaas audit show. 대기 중인 결제: waiaas payment list.",
            );
            lines.put(Label::Details, format!("event {sequence}"));
            title("Messages begin here", "알림이 여기서 시작됩니다")
        }
        Own::Silent { channel, since } => {
            lines.put(Label::Channel, channel);
            lines.put(Label::Since, since);
            lines.say(
                "What it is to be told is kept and told once it takes messages again.",
                "전달되지 못한 알림은 보관되며, 채널이 복구되면 전달됩니다.",
            );
            title(
                "ALARM: a channel takes no messages",
                "경보: 알림 채널이 응답하지 않습니다",
            )
        }
        Own::Failed {
            transaction,
            wallet,
            why,
        } => {
            // A contract's or node's own words.
            let why = why.as_ref().map(|why| format!("{why:?}"));
            lines.some(Label::Details, why);
            lines.put(Label::Payment, transaction);
            lines.put(Label::Wallet, wallet);
            title(
                "The chain refused a payment",
                "체인에서 결제가 실패했습니다",
            )
        }
        Own::Weekly {
            head,
            sequence,
            signed,
            waiting,
        } => {
            let text = format!(
                "{} {signed}, {} {waiting}, {} {sequence}",
                lines.pick("signed", "서명"),
                lines.pick("waiting", "대기"),
                lines.pick("events", "이벤트"),
            );
            lines.put(Label::Details, text);
            lines.put(Label::Head, head.trim_end().replace('\n', " | "));
            lines.say(
                "Keep the head: with it the log can be shown to be the same later.",
                "이 헤드를 보관하십시오: 나중에 로그가 그대로인지 확인할 수 있습니다.",
            );
            title("The week", "주간 요약")
        }
        Own::Trial { channel } => {
            lines.put(Label::Channel, channel);
            title("This is a trial message", "시험 메시지입니다")
        }
    }
}

/// What a payment does, a line each, with its memo and fee.
fn done(event: &Event, sequence: u64, names: &Names, lines: &mut Lines) {
    for moved in moves(event, sequence) {
        let text = moved_in_words(&moved, names, lines.language);
        lines.put(Label::Does, text);
    }
    let (memo, native, fee) = match &event.body {
        EventBody::IntentOpened(intent) => (
            intent.memo.as_ref(),
            intent.asset.chain().native_asset(),
            Some(intent.fee_ceiling),
        ),
        EventBody::SpendCommitted(spend)
        | EventBody::Withdrawn { spend, .. }
        | EventBody::SpendReplaced { spend, .. } => {
            let payment = Payment::of_spend(spend, sequence, event.clocks.wall);
            let fee = payment.map(|payment| payment.facts.fee_max);
            (spend.memo.as_ref(), spend.chain.native_asset(), fee)
        }
        _ => return,
    };
    lines.some(Label::Memo, memo.map(|memo| format!("{:?}", memo.as_str())));
    lines.some(Label::Fee, fee.map(|fee| names.amount(native, fee)));
}

fn moved_in_words(moved: &Transfer, names: &Names, language: Language) -> String {
    let amount = names.amount(moved.asset, moved.amount);
    let to = names.account(moved.asset, moved.to);
    let say = |english: &str, korean: &str| pick(language, english, korean).to_owned();
    match moved.action {
        Action::Transfer => format!("{amount} -> {to}"),
        Action::Approve => format!("{}: {amount} -> {to}", say("leave to take", "인출 허용")),
        Action::Call => format!("{} {to}, {amount}", say("call of", "호출")),
        Action::Stake => format!("{}: {amount} -> {to}", say("stake", "스테이킹")),
        Action::Unstake => format!("{} {to}", say("end of stake", "스테이킹 종료")),
        Action::WithdrawStake => {
            format!("{} {to}", say("stake comes back from", "스테이킹 회수"))
        }
    }
}

fn waits(intent: &Intent, opened: WallTime, now: WallTime, lines: &mut Lines) {
    if intent.first_payment {
        lines.say(
            "First payment of this wallet to this recipient.",
            "이 지갑이 이 수신자에게 보내는 첫 결제입니다.",
        );
    }
    if let Some(rules) = &intent.asked {
        let codes: Vec<&str> = rules.iter().map(|rule| rule.code.as_str()).collect();
        lines.put(Label::Rules, codes.join(" "));
    }
    lines.put(Label::Payment, intent.transaction);
    lines.put(Label::Wallet, intent.wallet);
    lines.put(Label::Session, intent.session);
    let left = |until: WallTime| {
        let left = span(until.since(now), lines.language);
        format!("{until} ({left})")
    };
    let until = left(intent.expires);
    match ready(intent, opened) {
        Some(ready) => {
            let ready = left(ready);
            lines.put(Label::Ready, ready);
        }
        None => lines.put(
            Label::Approve,
            format!("waiaas payment approve {}", intent.transaction),
        ),
    }
    lines.put(Label::Until, until);
    lines.put(
        Label::Stop,
        format!("waiaas payment cancel {}", intent.transaction),
    );
}

/// How long still, in the two largest units.
fn span(left: Millis, language: Language) -> String {
    let minutes = left.millis() / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match language {
        Language::English => match (days, hours) {
            (0, 0) => format!("in {minutes} min"),
            (0, _) => format!("in {hours} h {minutes} min"),
            _ => format!("in {days} d {hours} h"),
        },
        Language::Korean => match (days, hours) {
            (0, 0) => format!("{minutes}분 남음"),
            (0, _) => format!("{hours}시간 {minutes}분 남음"),
            _ => format!("{days}일 {hours}시간 남음"),
        },
    }
}

fn put_ids(about: &waiaas_shared::event_about::About, lines: &mut Lines) {
    for transaction in &about.transactions {
        lines.put(Label::Payment, transaction);
    }
    lines.some(Label::Wallet, about.wallet);
    lines.some(Label::Session, about.session);
}

const fn ended(cause: &IntentEnd, language: Language) -> &'static str {
    let (english, korean) = match cause {
        IntentEnd::Cancelled { origin } => match origin {
            Origin::Gateway => ("cancelled over the gateway", "게이트웨이에서 취소됨"),
            Origin::Admin => ("cancelled by the owner", "소유자가 취소함"),
            Origin::Signer => ("ended by an alarm", "경보로 종료됨"),
        },
        IntentEnd::Rejected { .. } => ("rejected by an owner", "소유자가 거절함"),
        IntentEnd::Expired => ("it waited too long", "대기 시간이 지남"),
        IntentEnd::SessionEnded => ("its session has ended", "세션이 종료됨"),
        IntentEnd::Killed => ("the kill switch was thrown", "킬 스위치가 작동함"),
        IntentEnd::WalletClosed => (
            "its wallet was closed or moved to a new key",
            "지갑이 닫혔거나 새 키로 옮겨짐",
        ),
    };
    pick(language, english, korean)
}

const fn by(origin: Origin, language: Language) -> &'static str {
    let (english, korean) = match origin {
        Origin::Gateway => ("over the gateway", "게이트웨이"),
        Origin::Admin => ("the owner, on the machine itself", "소유자(서버에서 직접)"),
        Origin::Signer => ("an alarm of the signer", "서명기의 경보"),
    };
    pick(language, english, korean)
}

fn alarm(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Alarm(alarm) => alarm_in_words(alarm),
        Trigger::Violation(escalation) => format!(
            "a refusal with {}: {}",
            escalation.code,
            escalation.action.as_str()
        ),
        Trigger::DeadMan { after } => format!(
            "no word from an owner for {}",
            waiaas_shared::policy::items::duration(*after)
        ),
    }
}

#[cfg(test)]
mod tests;
