//! What the owner keeps of the log: its key, pinned at `init`, and the last signed head that was seen.
//! With them a log that was cut, put back or swapped shows here (a gateway is no witness). Reads and
//! writes two small files of the home.

use std::io::Read as _;
use std::path::Path;

use waiaas_shared::heartbeat::{Heartbeat, SignedHeartbeat};
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{Head, SignedHead};

use crate::failure::{Exit, Failure};
use crate::home::{Home, cannot};

/// The signer that this home belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    /// Its identifier.
    pub(crate) signer: SignerId,
    /// The public half of its log key (Ed25519).
    pub(crate) log_key: [u8; 32],
}

impl Pin {
    /// The pinned signer, if any.
    pub(crate) fn read(home: &Home) -> Result<Option<Self>, Failure> {
        let path = home.log_key();
        let Some(text) = home.read(&path)? else {
            return Ok(None);
        };
        Self::parse(&text).map(Some).ok_or_else(|| {
            Failure::new(
                Exit::Configuration,
                format!("{} is damaged", path.display()),
            )
            .why("it must hold the signer's id and its log key in base58")
            .next("waiaas audit pin, after you have checked which signer runs")
        })
    }

    /// The pinned signer.
    pub(crate) fn require(home: &Home) -> Result<Self, Failure> {
        Self::read(home)?.ok_or_else(|| {
            Failure::new(Exit::Configuration, "no log key is pinned in this home")
                .why("without it nothing that the log says can be checked")
                .next("waiaas audit pin")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (signer, key) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            signer: signer.parse().ok()?,
            log_key: *AgentKey::from_base58(key).ok()?.as_bytes(),
        })
    }

    /// Pins it.
    pub(crate) fn write(&self, home: &Home) -> Result<(), Failure> {
        home.write(
            &home.log_key(),
            format!("{} {}\n", self.signer, self.key_text()).as_bytes(),
        )
    }

    /// The log key as the gateway's configuration takes it.
    pub(crate) fn key_text(&self) -> String {
        AgentKey::from_bytes(self.log_key).to_string()
    }

    /// What a keystore's plain header says (docs/keystore-format.md). Authentic only as far as the
    /// folder is: the first signed head that verifies confirms it.
    pub(crate) fn of_keystore(path: &Path) -> Result<Self, Failure> {
        let mut header = [0; 96];
        std::fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut header))
            .map_err(|error| cannot("read", path, &error))?;
        let pinned = || {
            let signer: [u8; 16] = header.get(16..32)?.try_into().ok()?;
            let log_key = header.get(64..96)?.try_into().ok()?;
            let fixed = header.get(..12)?;
            (fixed == b"WAIAASKS\x00\x01\x00\x01").then_some(Self {
                signer: SignerId::from_bytes(signer),
                log_key,
            })
        };
        pinned().ok_or_else(|| {
            Failure::new(
                Exit::Configuration,
                format!("{} is not a keystore", path.display()),
            )
            .why("it is not of version 1")
        })
    }

    /// Keeps a signed head as the last one seen. It is the caller who followed the chain to it, from the
    /// genesis or from the kept one (`continuity`): a number that is higher proves nothing. An older one
    /// than another command kept meanwhile changes nothing.
    pub(crate) fn keep(&self, home: &Home, note: &str) -> Result<Head, Failure> {
        let head = self.verify(note)?;
        let seen = self.last_seen(home)?;
        if seen.is_none_or(|seen| seen.sequence < head.sequence) {
            home.write(&home.head(), note.as_bytes())?;
        }
        Ok(head)
    }

    /// The head of a note by the pinned key and signer.
    pub(crate) fn verify(&self, note: &str) -> Result<Head, Failure> {
        let verified = note
            .parse::<SignedHead>()
            .and_then(|signed| signed.verify(&self.log_key));
        match verified {
            Ok(head) if head.signer == self.signer => Ok(head),
            _ => Err(Failure::new(
                Exit::Failure,
                "the log's head is not signed by the pinned key",
            )
            .why(format!("this home is pinned to {}", self.signer))
            .next(
                "do not sign or unlock anything: another signer answers, or its log was replaced",
            )),
        }
    }

    /// A heartbeat by the pinned key and signer that does not contradict the last head seen; a fresh one
    /// does not fall behind it either. It is no head itself, so nothing of it is kept.
    pub(crate) fn heartbeat(
        &self,
        home: &Home,
        note: &str,
        fresh: bool,
    ) -> Result<Heartbeat, Failure> {
        let signed: Option<SignedHeartbeat> = note.parse().ok();
        let verified = signed
            .as_ref()
            .and_then(|signed| signed.verify(&self.log_key).ok())
            .filter(|heartbeat| heartbeat.signer == self.signer);
        let heartbeat = verified.ok_or_else(|| {
            Failure::new(
                Exit::Failure,
                "this is no heartbeat signed by the pinned key",
            )
            .why(format!("this home is pinned to {}", self.signer))
            .next("believe nothing of it: ask the signer itself with waiaas audit heartbeat")
        })?;
        let head = Head {
            signer: heartbeat.signer,
            sequence: heartbeat.sequence,
            hash: heartbeat.hash,
        };
        match self.last_seen(home)? {
            Some(seen)
                if (fresh && head.sequence < seen.sequence)
                    || (head.sequence == seen.sequence && head.hash != seen.hash) =>
            {
                Err(self.older(home, seen, head))
            }
            _ => Ok(heartbeat.clone()),
        }
    }

    /// The last head that was seen.
    pub(crate) fn last_seen(&self, home: &Home) -> Result<Option<Head>, Failure> {
        match home.read(&home.head())? {
            None => Ok(None),
            Some(note) => self.verify(&note).map(Some),
        }
    }

    /// Its note, for the signer to compare with its own log.
    pub(crate) fn kept_note(&self, home: &Home) -> Result<Option<String>, Failure> {
        let note = home.read(&home.head())?;
        if let Some(note) = &note {
            self.verify(note)?;
        }
        Ok(note)
    }

    /// A log that does not continue what was seen.
    pub(crate) fn older(&self, home: &Home, seen: Head, now: Head) -> Failure {
        Failure::new(
            Exit::Failure,
            "the signer's log is not the one that was seen before",
        )
        .why(format!(
            "event {} was seen with hash {}; now the log ends at event {} with hash {}, and does not lead \
             through what was seen",
            seen.sequence, seen.hash, now.sequence, now.hash
        ))
        .next(format!(
            "what was seen stays in {0}: keep a copy of it. If you restored a backup on purpose, look through \
             the last payments and remove {0}, then waiaas release pause --owner-key FILE; if not, throw the \
             kill switch",
            home.head().display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use waiaas_shared::digest::Digest;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn pin() -> Pin {
        Pin {
            signer: SignerId::from_bytes([1; 16]),
            log_key: key().verifying_key().to_bytes(),
        }
    }

    fn note(sequence: u64, hash: u8) -> String {
        let head = Head {
            signer: pin().signer,
            sequence,
            hash: Digest::from_bytes([hash; 32]),
        };
        let signature = key().sign(head.note_text().as_bytes()).to_bytes();
        SignedHead::new(head, &pin().log_key, signature).to_string()
    }

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        home
    }

    #[test]
    fn a_pin_is_written_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        assert_eq!(Pin::read(&home).unwrap(), None);
        assert_eq!(Pin::require(&home).unwrap_err().exit(), Exit::Configuration);
        pin().write(&home).unwrap();
        assert_eq!(Pin::read(&home).unwrap(), Some(pin()));
        home.write(&home.log_key(), b"signer_x y\n").unwrap();
        assert_eq!(Pin::read(&home).unwrap_err().exit(), Exit::Configuration);
    }

    /// What is kept never goes back, and nothing is kept that the pinned key did not sign.
    #[test]
    fn the_newest_head_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        for (sequence, kept) in [(3, 3), (5, 5), (4, 5), (6, 6)] {
            pin().keep(&home, &note(sequence, 1)).unwrap();
            assert_eq!(pin().last_seen(&home).unwrap().unwrap().sequence, kept);
        }
        let unsigned = note(7, 1).replace("\n7\n", "\n8\n");
        assert!(pin().keep(&home, &unsigned).is_err());
        assert_eq!(pin().last_seen(&home).unwrap().unwrap().sequence, 6);
    }

    /// T13: a heartbeat that was changed, of another signer, of another key, or from before what was seen
    /// is not shown.
    #[test]
    fn a_heartbeat_counts_by_the_pinned_key_and_goes_on() {
        use waiaas_shared::heartbeat::{Kill, SignedHeartbeat};

        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let heartbeat = |signer: u8, sequence: u64, hash: u8| Heartbeat {
            signer: SignerId::from_bytes([signer; 16]),
            clocks: Default::default(),
            sequence,
            hash: Digest::from_bytes([hash; 32]),
            policy_epoch: 0,
            policies: Vec::new(),
            kill: Kill::Normal,
            kill_epoch: 0,
            frozen: false,
            clock_closed: false,
            dead_man: None,
            wallets: 0,
            sessions: 0,
            suspended: 0,
            denials: 0,
            waiting: 0,
            payments: Vec::new(),
        };
        let signed = |key: &SigningKey, heartbeat: Heartbeat| {
            let signature = key.sign(heartbeat.note_text().as_bytes()).to_bytes();
            let log_key = key.verifying_key().to_bytes();
            SignedHeartbeat::new(heartbeat, &log_key, signature).to_string()
        };
        pin().keep(&home, &note(3, 1)).unwrap();
        let other = SigningKey::from_bytes(&[8; 32]);
        let fresh = signed(&key(), heartbeat(1, 4, 9));
        for (note, passes) in [
            (fresh.clone(), true),
            (signed(&key(), heartbeat(1, 3, 1)), true),
            (signed(&key(), heartbeat(1, 3, 2)), false),
            (signed(&key(), heartbeat(1, 2, 1)), false),
            (signed(&key(), heartbeat(2, 4, 9)), false),
            (signed(&other, heartbeat(1, 4, 9)), false),
            (fresh.replace("frozen no", "frozen yes"), false),
            (super::tests::note(4, 9), false),
            (String::new(), false),
        ] {
            let read = pin().heartbeat(&home, &note, true);
            assert_eq!(read.is_ok(), passes, "{note}");
        }
        // One that was kept may be older than what was seen since.
        let kept = signed(&key(), heartbeat(1, 2, 1));
        assert!(pin().heartbeat(&home, &kept, false).is_ok());
        let forked = signed(&key(), heartbeat(1, 3, 2));
        assert!(pin().heartbeat(&home, &forked, false).is_err());
    }

    /// What is presented at an unlock is the newest note that was seen, and nothing that is not one.
    #[test]
    fn the_kept_note_is_the_newest_that_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        assert_eq!(pin().kept_note(&home).unwrap(), None);
        pin().keep(&home, &note(3, 1)).unwrap();
        pin().keep(&home, &note(5, 2)).unwrap();
        pin().keep(&home, &note(4, 2)).unwrap();
        assert_eq!(pin().kept_note(&home).unwrap(), Some(note(5, 2)));
        home.write(&home.head(), b"a head\n").unwrap();
        assert!(pin().kept_note(&home).is_err());
    }

    #[test]
    fn only_the_pinned_key_counts() {
        let other = Pin {
            log_key: SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes(),
            ..pin()
        };
        assert!(other.verify(&note(1, 1)).is_err());
        let stranger = Pin {
            signer: SignerId::from_bytes([2; 16]),
            ..pin()
        };
        assert!(stranger.verify(&note(1, 1)).is_err());
        assert!(pin().verify("").is_err());
        assert!(pin().verify(&note(1, 1)).is_ok());
    }

    #[test]
    fn the_header_of_a_keystore_names_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keystore");
        let mut header = Vec::new();
        header.extend_from_slice(b"WAIAASKS\x00\x01\x00\x01\x00\x00\x01\x62");
        header.extend_from_slice(&[1; 16]);
        header.extend_from_slice(&[0; 32]);
        header.extend_from_slice(&pin().log_key);
        std::fs::write(&path, &header).unwrap();
        assert_eq!(Pin::of_keystore(&path).unwrap(), pin());
        header[9] = 2;
        std::fs::write(&path, &header).unwrap();
        assert_eq!(
            Pin::of_keystore(&path).unwrap_err().exit(),
            Exit::Configuration
        );
    }
}
