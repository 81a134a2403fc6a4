//! What messages say, in both languages: a title, and lines with their labels. Shows; decides nothing. Statements,
//! rules and changes keep the signer's own English words: they are what an owner compares with what is signed.

use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::intent::{Intent, IntentEnd, Wait};
use waiaas_shared::policy::alarm::{Subject, Trigger};
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
        Told::Event(sequence, event) => happened(event, *sequence, names, now, &mut lines),
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

fn happened(
    event: &Event,
    sequence: u64,
    names: &Names,
    now: WallTime,
    lines: &mut Lines,
) -> &'static str {
    let language = lines.language;
    let title = |english: &'static str, korean: &'static str| pick(language, english, korean);
    let about = event.body.about();
    match &event.body {
        EventBody::IntentOpened(intent) => {
            done(event, sequence, names, lines);
            waits(intent, event.clocks.wall, now, lines);
            match intent.wait {
                Wait::Delay { .. } => title(
                    "A payment waits for its delay",
                    "결제가 지연 시간을 기다리고 있습니다",
                ),
                Wait::Approval { .. } => title(
                    "A payment waits for your approval",
                    "결제가 승인을 기다리고 있습니다",
                ),
            }
        }
        EventBody::IntentApproved { signers, .. } => {
            let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
            lines.put(Label::By, signers.join(" "));
            put_ids(&about, lines);
            title("A payment was approved", "결제가 승인되었습니다")
        }
        EventBody::IntentsEnded { cause, .. } => {
            let why = ended(cause, language);
            lines.put(Label::Why, why);
            put_ids(&about, lines);
            title(
                "A waiting payment ended unsigned",
                "대기 중이던 결제가 서명 없이 종료되었습니다",
            )
        }
        EventBody::SpendCommitted(_) => {
            done(event, sequence, names, lines);
            put_ids(&about, lines);
            title("A payment was signed", "결제가 서명되었습니다")
        }
        EventBody::SpendReplaced { variant, .. } => {
            done(event, sequence, names, lines);
            put_ids(&about, lines);
            if variant.cancels {
                title(
                    "A payment's cancellation was signed",
                    "결제 취소가 서명되었습니다",
                )
            } else {
                title(
                    "A payment was signed once more with a higher fee",
                    "결제가 더 높은 수수료로 다시 서명되었습니다",
                )
            }
        }
        EventBody::TransferAuthorized { authorization, .. } => {
            done(event, sequence, names, lines);
            let until = authorization.valid_before.saturating_mul(1000);
            lines.put(Label::Until, WallTime::from_millis(until));
            put_ids(&about, lines);
            title(
                "A transfer was authorized",
                "전송 승인(authorization)이 서명되었습니다",
            )
        }
        EventBody::Withdrawn { .. } => {
            done(event, sequence, names, lines);
            put_ids(&about, lines);
            title(
                "A withdrawal was signed by the owners",
                "소유자의 출금이 서명되었습니다",
            )
        }
        EventBody::Credited { amounts, .. } => {
            for given in amounts {
                lines.put(Label::Does, names.amount(given.asset, given.amount));
            }
            put_ids(&about, lines);
            title("A charge was given back", "차감된 한도가 복원되었습니다")
        }
        EventBody::DenialsCounted { code, count, .. } => {
            lines.put(Label::Rules, format!("{code} x {count}"));
            put_ids(&about, lines);
            title("Requests were refused", "요청이 거부되었습니다")
        }
        EventBody::SignedIn(login) => {
            lines.put(Label::Site, &login.fields.domain);
            put_ids(&about, lines);
            title("A sign-in was signed", "사이트 로그인이 서명되었습니다")
        }
        EventBody::AlarmRaised {
            trigger, subject, ..
        } => {
            lines.put(Label::Details, alarm(trigger));
            match subject {
                Subject::Session(_) | Subject::Wallet(_) => {}
                Subject::Everything => lines.say("It concerns everything.", "전체에 해당합니다."),
            }
            put_ids(&about, lines);
            title("ALARM", "경보")
        }
        EventBody::ClockStepped { seen } => {
            lines.put(Label::Details, seen);
            lines.say(
                "Signing is closed until an owner states the time: waiaas release clock",
                "소유자가 시간을 확인할 때까지 서명이 중단됩니다: waiaas release clock",
            );
            title(
                "ALARM: the clock of the machine moved",
                "경보: 시스템 시계가 바뀌었습니다",
            )
        }
        EventBody::HeadMissed { sequence, .. } => {
            lines.put(Label::Details, format!("event {sequence}"));
            lines.say(
                "Everything is paused. The log may have been rolled back: see docs/operations.md.",
                "모든 동작이 일시 중지되었습니다. 로그가 되돌려졌을 수 있습니다: docs/operations.md 참고.",
            );
            title(
                "ALARM: the log is not the one that the owner kept",
                "경보: 로그가 소유자가 보관한 것과 다릅니다",
            )
        }
        EventBody::PolicyAdopted { epoch, digest, .. } => {
            lines.put(Label::Details, format!("epoch {epoch}, digest {digest}"));
            title("A policy was adopted", "정책이 채택되었습니다")
        }
        EventBody::OwnerEnrolled { owner, .. } => {
            lines.put(Label::Details, owner);
            title("An owner was enrolled", "소유자가 등록되었습니다")
        }
        EventBody::OwnerChangeScheduled { change, .. } => {
            lines.put(Label::Details, change);
            lines.say(
                "If you do not know of this: waiaas owner cancel CHANGE, before its time is over.",
                "모르는 변경이라면 시간이 지나기 전에 취소하십시오: waiaas owner cancel CHANGE",
            );
            title(
                "A change of owners was scheduled",
                "소유자 변경이 예약되었습니다",
            )
        }
        EventBody::OwnerChangeCancelled { change, .. } => {
            lines.put(Label::Details, change);
            title(
                "A change of owners was cancelled",
                "소유자 변경이 취소되었습니다",
            )
        }
        EventBody::OwnerChangeEffective { change } => {
            lines.put(Label::Details, change);
            title(
                "A change of owners took effect",
                "소유자 변경이 적용되었습니다",
            )
        }
        EventBody::OwnerChangeVoided { change, code } => {
            lines.put(Label::Details, format!("{change}: {code}"));
            title(
                "A change of owners is void",
                "소유자 변경이 무효가 되었습니다",
            )
        }
        EventBody::OwnerSuspended { owner, .. } => {
            lines.put(Label::Details, owner);
            title(
                "An owner's key was suspended",
                "소유자의 키가 정지되었습니다",
            )
        }
        EventBody::SuspensionLifted { owner, .. } => {
            lines.put(Label::Details, owner);
            title(
                "An owner's suspension was lifted",
                "소유자 키의 정지가 해제되었습니다",
            )
        }
        EventBody::WithdrawalEnrolled { account, .. } => {
            lines.put(Label::Details, account);
            title(
                "An address for withdrawals was enrolled",
                "출금 주소가 등록되었습니다",
            )
        }
        EventBody::NonceAttested { chain, next, .. } => {
            lines.put(Label::Details, format!("{chain}: {next}"));
            put_ids(&about, lines);
            title("A nonce was attested", "논스가 확인되었습니다")
        }
        EventBody::TimeStated { wall, .. } => {
            lines.put(Label::Details, wall);
            title("The time was stated", "시간이 확인되었습니다")
        }
        EventBody::SessionGranted { .. } => {
            put_ids(&about, lines);
            title("A session was granted", "세션이 허가되었습니다")
        }
        EventBody::SessionRenewed { ends, .. } => {
            lines.put(Label::Until, ends);
            put_ids(&about, lines);
            title("A session was renewed", "세션이 갱신되었습니다")
        }
        EventBody::SessionResumed { .. } => {
            put_ids(&about, lines);
            title("A session was resumed", "세션이 재개되었습니다")
        }
        EventBody::SessionRevoked { origin, .. } => {
            lines.put(Label::By, by(*origin, language));
            put_ids(&about, lines);
            title("A session was revoked", "세션이 폐기되었습니다")
        }
        EventBody::SessionExpired { .. } => {
            put_ids(&about, lines);
            title("A session ended", "세션이 만료되었습니다")
        }
        EventBody::SessionSuspended { .. } => {
            put_ids(&about, lines);
            title("A session was suspended", "세션이 정지되었습니다")
        }
        EventBody::AgentRegistered { agent, stage, .. } => {
            lines.put(Label::Agent, agent);
            lines.put(Label::Details, stage);
            title("An agent was registered", "에이전트가 등록되었습니다")
        }
        EventBody::AgentActivated { agent, .. } => {
            lines.put(Label::Agent, agent);
            title("An agent was activated", "에이전트가 활성화되었습니다")
        }
        EventBody::AgentStopped { agent, stage, .. } => {
            lines.put(Label::Agent, agent);
            lines.put(Label::Details, stage);
            title("An agent was stopped", "에이전트가 중지되었습니다")
        }
        EventBody::AgentTerminated { agent, .. } => {
            lines.put(Label::Agent, agent);
            title("An agent was terminated", "에이전트가 종료되었습니다")
        }
        EventBody::WalletCreated { account, .. } => {
            lines.put(Label::Details, account);
            put_ids(&about, lines);
            title("A wallet was made", "지갑이 생성되었습니다")
        }
        EventBody::WalletClosed { .. } => {
            put_ids(&about, lines);
            title("A wallet was closed", "지갑이 닫혔습니다")
        }
        EventBody::WalletRotated { account, .. } => {
            lines.put(Label::Details, account);
            put_ids(&about, lines);
            title("A wallet moved to a new key", "지갑이 새 키로 옮겨졌습니다")
        }
        EventBody::Paused { wallet, origin } => {
            if wallet.is_none() {
                lines.say("Everything is paused.", "모든 동작이 일시 중지되었습니다.");
            }
            lines.put(Label::By, by(*origin, language));
            put_ids(&about, lines);
            title("Paused", "일시 중지되었습니다")
        }
        EventBody::PauseReleased { .. } => {
            put_ids(&about, lines);
            title("A pause was released", "일시 중지가 해제되었습니다")
        }
        EventBody::Killed { epoch, origin } => {
            lines.put(Label::By, by(*origin, language));
            lines.put(Label::Details, format!("epoch {epoch}"));
            lines.say(
                "Keys are wiped from memory and every session is revoked. See docs/operations.md.",
                "메모리의 키가 삭제되고 모든 세션이 폐기되었습니다. docs/operations.md 참고.",
            );
            title("The kill switch was thrown", "킬 스위치가 작동했습니다")
        }
        EventBody::KillReleased { .. } => {
            lines.say(
                "Everything stays paused until an owner releases the pause.",
                "소유자가 일시 중지를 해제할 때까지 모든 동작이 멈춰 있습니다.",
            );
            title("The kill switch was released", "킬 스위치가 해제되었습니다")
        }
        EventBody::Unlocked { failures, .. } => {
            if *failures > 0 {
                lines.put(
                    Label::Details,
                    format!(
                        "{}: {failures}",
                        lines.pick("wrong passwords before", "이전에 틀린 비밀번호")
                    ),
                );
            }
            title("The signer was unlocked", "서명기가 잠금 해제되었습니다")
        }
        EventBody::Locked { origin } => {
            lines.put(Label::By, by(*origin, language));
            title("The signer was locked", "서명기가 잠겼습니다")
        }
        EventBody::Retired { .. } => title(
            "The signer was retired: its log ends here",
            "서명기가 폐기되었습니다: 로그가 여기서 끝납니다",
        ),
        // No kind of message (`Kind::of`).
        EventBody::GuardianStopped { .. }
        | EventBody::DenialNoted { .. }
        | EventBody::Created { .. }
        | EventBody::StatementIssued { .. }
        | EventBody::OwnerAlive { .. }
        | EventBody::SnapshotTaken { .. } => "",
    }
}

/// What the gateway itself has to say.
fn said(own: &Own, lines: &mut Lines) -> &'static str {
    let language = lines.language;
    let title = |english: &'static str, korean: &'static str| pick(language, english, korean);
    match own {
        Own::Begins { sequence } => {
            lines.say(
                "What happened before is in the log: waiaas audit show. What still waits is told again.",
                "이전 기록은 로그에 있습니다: waiaas audit show. 아직 대기 중인 것은 다시 알립니다.",
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
            lines.some(Label::Why, why.as_ref());
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
