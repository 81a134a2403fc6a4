//! What each kind of event says: its title, and its lines.

use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::intent::Wait;
use waiaas_shared::policy::alarm::Subject;
use waiaas_shared::time::WallTime;

use super::{Label, Lines, alarm, by, done, ended, pick, put_ids, waits};
use crate::notify::names::Names;

/// Writes the lines; answers the title.
pub(super) fn happened(
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
