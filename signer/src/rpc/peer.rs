//! Who may open which socket: peers are known by the uid that the kernel reports for the connection,
//! never by a process id, which can be anybody's a moment later. Decides; opens and reads nothing.
//! Called by `rpc` at accept, and by `main` for what `status` says.

/// Whose connections are served, and what is said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPolicy {
    /// User ids whose processes may connect; nobody else, root included.
    pub allowed_uids: Vec<u32>,
    /// Whether gateway, signer and owner run under different uids, as [`claim_holds`] found.
    pub claim_holds: bool,
}

impl PeerPolicy {
    /// Whether a process of this user may connect.
    #[must_use]
    pub fn admits(&self, uid: u32) -> bool {
        self.allowed_uids.contains(&uid)
    }
}

/// Whether a compromised gateway stays outside: `signer`, the uids allowed on `gateway.sock` and those
/// allowed on `admin.sock` have none in common, and the gateway is not root.
#[must_use]
pub fn claim_holds(signer: u32, gateway: &[u32], owner: &[u32]) -> bool {
    let apart = |left: &[u32], right: &[u32]| !left.iter().any(|uid| right.contains(uid));
    !gateway.contains(&0)
        && apart(gateway, &[signer])
        && apart(owner, &[signer])
        && apart(gateway, owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_uids_are_admitted() {
        let policy = PeerPolicy {
            allowed_uids: vec![1001],
            claim_holds: true,
        };
        assert!(policy.admits(1001));
        for uid in [0, 1000, 1002, u32::MAX] {
            assert!(!policy.admits(uid), "{uid}");
        }
        assert!(
            !PeerPolicy {
                allowed_uids: Vec::new(),
                claim_holds: true
            }
            .admits(0)
        );
    }

    #[test]
    fn one_uid_in_two_places_voids_the_claim() {
        assert!(claim_holds(900, &[901], &[1000, 0]));
        for (signer, gateway, owner) in [
            (1000, &[1000][..], &[1000][..]),
            (900, &[900], &[1000]),
            (900, &[901], &[900]),
            (900, &[901, 1000], &[1000]),
            (900, &[0], &[1000]),
        ] {
            assert!(
                !claim_holds(signer, gateway, owner),
                "{signer} {gateway:?} {owner:?}"
            );
        }
    }
}
