//! Authorizations that left (O7 and O10): each has its record, says what the record says, and is the wallet's
//! signature over exactly those fields, in its one form.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::event::EventBody;

use super::Checks;
use crate::bytes::recovers;
use crate::calculator::authorized::by_hand;
use crate::rig::Rig;

impl Checks {
    pub(super) fn authorized(&mut self, rig: &Rig) -> Result<()> {
        for one in rig.record.authorized.iter().skip(self.authorized) {
            let signed = &one.signed;
            let name = signed.transaction.to_string();
            let place = usize::try_from(signed.sequence)?.checked_sub(1);
            let event = place.and_then(|place| self.log.events.get(place));
            let Some(EventBody::TransferAuthorized {
                spend,
                authorization,
            }) = event.map(|event| &event.body)
            else {
                anyhow::bail!("{name} left without a record (O7)");
            };
            ensure!(
                spend.transaction == signed.transaction && *authorization == signed.authorization,
                "{name}: another one than was recorded"
            );
            let fields = by_hand(&signed.authorization)?;
            let payload = fields.payload();
            ensure!(payload == spend.unsigned, "{name}: over other bytes");
            let (scalars, v) = signed.signature.split_at_checked(64).context("65 bytes")?;
            let odd = match v {
                [27] => false,
                [28] => true,
                _ => anyhow::bail!("{name}: v {v:?}"),
            };
            recovers(&payload, scalars, odd, &fields.from).with_context(|| name.clone())?;
            let before = self.left.insert(name.clone(), signed.signature.clone());
            ensure!(
                before.is_none_or(|before| before == signed.signature),
                "{name} left in two forms (O4)"
            );
        }
        self.authorized = rig.record.authorized.len();
        Ok(())
    }
}
