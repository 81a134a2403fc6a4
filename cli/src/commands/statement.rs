//! `waiaas statement`: texts that were drafted with `--draft`, for owners whose key is in a wallet
//! elsewhere: shown again, handed in with the signatures, and the page on which a browser wallet signs.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::StatementId;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::statement::{HandedIn, StatementFacts};

use crate::app::App;
use crate::commands::owner_change::{guardians_of, owners};
use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::pasted::Pasted;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::signing_page::{PAGE, link};
use crate::statement::{Draft, Signatory};

/// How far back a draft is looked for, in events: it is an hour old at most.
const EVENTS_BACK: u64 = 100_000;
/// How many events are looked through at once.
const STRETCH: u64 = 1000;
/// Bytes of events asked for at once; the signer's own limit.
const PAGE_BYTES: u32 = 256 * 1024;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the exact text of a statement that was drafted
    Show {
        /// Which
        statement: StatementId,
    },
    /// Hand a drafted statement in with the signatures that were made elsewhere
    Submit {
        /// Which
        statement: StatementId,
        /// A signature over its exact text, in base58, base64 or hexadecimal; repeat it for each owner. Whose
        /// it is, and how the wallet wrapped the text, is found from the signature
        #[arg(long = "signature", value_name = "SIGNATURE", required = true)]
        signatures: Vec<String>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Write the page on which a browser wallet signs, to open it as a file that no gateway can change
    Page {
        /// Where to
        file: PathBuf,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show { statement } => {
            let signer = Signer::connect(app).await?;
            let (_, draft) = find(&signer, statement).await?;
            let data = json!({
                "statement": statement,
                "text": draft.text,
                "digest": draft.digest.to_string(),
                "page": link(&signer.gateway_url, &draft.text),
            });
            app.output.data(draft.text, &data)
        }
        Command::Submit {
            statement,
            signatures,
            password,
        } => submit(app, statement, &signatures, password).await,
        Command::Page { file } => {
            create_new(&file)?
                .write_all(PAGE.as_bytes())
                .map_err(|error| cannot("written", &file, &error))?;
            let words = format!(
                "{}\nOpen it in a browser that has your wallet.",
                file.display()
            );
            app.output.data(words, &json!({ "file": file }))
        }
    }
}

async fn submit(
    app: &App,
    statement: StatementId,
    signatures: &[String],
    password: PasswordArgs,
) -> Result<(), Failure> {
    let pasted: Vec<_> = signatures
        .iter()
        .map(|text| Pasted::parse(text))
        .collect::<Result<_, _>>()?;
    let signer = Signer::connect(app).await?;
    let (facts, draft) = find(&signer, statement).await?;
    let way = facts.handed_in();
    if let HandedIn::Own(command) = way {
        return Err(Failure::usage("this kind is not handed in here")
            .why("more goes with it than owners' signatures")
            .next(format!(
                "{command}, and paste the signature when it is asked for"
            )));
    }
    let views = owners(&signer).await?;
    let known = match facts {
        StatementFacts::GuardianStop { .. } => guardians_of(&views),
        _ => views.iter().map(Signatory::from).collect(),
    };
    let signatures = attribute(&pasted, &known, &draft.text)?;
    draft.show(&app.output);
    let submitted = if way == HandedIn::WithPassword {
        let password = password.read(&app.output)?;
        let ticket = signer.put(&password).await?;
        drop(password);
        let client = &signer.client;
        client
            .submit_with_password(&ticket, statement, &signatures)
            .await
    } else {
        signer.client.submit_statement(statement, &signatures).await
    };
    let sequence = submitted.map_err(failed("not accepted"))?.sequence;
    let mut words = format!("{}: done.", facts.heading());
    let mut data = json!({
        "statement": statement,
        "kind": facts.heading(),
        "signers": signatures.iter().map(|signature| signature.owner).collect::<Vec<_>>(),
        "sequence": sequence,
    });
    if let EventBody::SessionGranted { session, .. } = signer.event(sequence).await? {
        words = format!("{session}\n{words}");
        if let Some(fields) = data.as_object_mut() {
            fields.insert("session".to_owned(), json!(session));
        }
    }
    app.output.data(words, &data)
}

/// Whose signatures they are. One that is nobody's over this text is refused before anything is handed in.
fn attribute(
    pasted: &[Pasted],
    known: &[Signatory],
    text: &str,
) -> Result<Vec<OwnerSignature>, Failure> {
    let mut signatures: Vec<OwnerSignature> = Vec::with_capacity(pasted.len());
    for (place, one) in (1_usize..).zip(pasted) {
        let found = known
            .iter()
            .find_map(|signatory| Some((signatory.id, one.made_by(&signatory.key, text)?)));
        let Some((owner, made)) = found else {
            return Err(Failure::usage(format!(
                "signature {place} is nobody's who may sign this, over this text"
            ))
            .why("another key signed, or a text that differs by a byte at least")
            .next("waiaas owner list; waiaas statement show prints the exact text"));
        };
        if signatures.iter().any(|other| other.owner == owner) {
            return Err(
                Failure::usage(format!("{owner} signed twice")).why("each owner counts once")
            );
        }
        signatures.push(OwnerSignature {
            owner,
            envelope: made.envelope,
            signature: made.signature,
        });
    }
    Ok(signatures)
}

/// The draft as the signer's log has it, newest events first; checked as when it was drafted.
async fn find(signer: &Signer, statement: StatementId) -> Result<(StatementFacts, Draft), Failure> {
    let newest = signer.status.sequence;
    let oldest = newest.saturating_sub(EVENTS_BACK);
    let mut end = newest;
    while end > oldest {
        let start = end.saturating_sub(STRETCH).max(oldest);
        let mut after = start;
        while after < end {
            let page = signer
                .client
                .events(after, PAGE_BYTES, Duration::ZERO)
                .await;
            let page = page.map_err(failed("the log cannot be read"))?;
            let Some(last) = page.events.last().map(|record| record.sequence) else {
                break;
            };
            for record in &page.events {
                if let Ok(event) = from_canonical::<Event>(&record.body)
                    && let EventBody::StatementIssued {
                        statement: issued,
                        facts,
                        text,
                        ..
                    } = event.body
                    && issued == statement
                {
                    let text = text.as_str().to_owned();
                    let draft = Draft::check(text, statement, signer.pin.signer, &facts)?;
                    return Ok((facts, draft));
                }
            }
            after = last;
        }
        end = start;
    }
    Err(Failure::new(
        Exit::Failure,
        format!("{statement} is not in the signer's log"),
    )
    .why("it was drafted by another signer, or long ago")
    .next("draft it again: the command that asked for it, with --draft"))
}

#[cfg(test)]
mod tests {
    use waiaas_shared::ids::OwnerId;
    use waiaas_shared::statement::verify::{Envelope, payload};

    use super::*;
    use crate::owner_key::KeyFile;
    use crate::statement::tests::TEXT;

    /// Nobody says who signed: the signatures do.
    #[test]
    fn signatures_find_their_owners() {
        let keys = [(); 3].map(|()| KeyFile::generate().unwrap());
        let known: Vec<_> = (0_u8..)
            .zip(&keys)
            .map(|(number, key)| Signatory {
                id: OwnerId::from_bytes([number; 16]),
                key: key.owner(),
                envelope: Envelope::Ed25519Plain,
            })
            .collect();
        let signed = |key: &KeyFile, envelope| {
            let bytes = payload(TEXT, envelope, &key.owner()).unwrap();
            Pasted::parse(&hex::encode(key.sign(&bytes))).unwrap()
        };
        let first = signed(&keys[0], Envelope::Ed25519Plain);
        let last = signed(&keys[2], Envelope::Ed25519OffchainV0);
        let found = attribute(&[last.clone(), first.clone()], &known, TEXT).unwrap();
        let who: Vec<_> = found
            .iter()
            .map(|signature| (signature.owner, signature.envelope))
            .collect();
        assert_eq!(
            who,
            [
                (known[2].id, Envelope::Ed25519OffchainV0),
                (known[0].id, Envelope::Ed25519Plain)
            ]
        );
        assert!(attribute(&[first.clone(), first.clone()], &known, TEXT).is_err());
        assert!(attribute(&[last], &known[..2], TEXT).is_err());
        let other = TEXT.replace("Policy epoch: 1", "Policy epoch: 2");
        assert!(attribute(&[first], &known, &other).is_err());
    }
}
