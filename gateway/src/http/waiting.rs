//! How long an answer about a payment is kept back, and for what: until the payment has ended, or until its transaction
//! stands as deep on its chain as the request names.

use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use waiaas_shared::caip::Family;

use super::error::{GatewayCode, Problem};
use crate::app::App;
use crate::chain::Depth;
use crate::payment::Payment;
use crate::pipeline::confirm;

/// Longest time that an answer is kept back, in seconds.
const WAIT_LIMIT_SECONDS: u64 = 60;

/// How to answer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Keep the answer back until the payment has ended, at most so many seconds (60).
    wait: Option<u64>,
    /// Until its transaction stands that deep instead: `confirmed` or `finalized` on Solana; `latest` (in a block),
    /// `safe` or `finalized` on an EVM chain. The answer's `commitment` says that it does.
    commitment: Option<String>,
}

/// Until when an answer is kept back.
#[derive(Debug)]
pub(super) struct Waiting {
    seconds: u64,
    until: Instant,
    commitment: Option<String>,
}

impl Waiting {
    /// Reads the query; the time runs from now on.
    pub(super) fn read(query: Result<Query<WaitQuery>, QueryRejection>) -> Result<Self, Problem> {
        let Query(WaitQuery { wait, commitment }) =
            query.map_err(|_| GatewayCode::QueryMalformed)?;
        let seconds = wait.unwrap_or(0);
        if seconds > WAIT_LIMIT_SECONDS {
            return Err(GatewayCode::QueryMalformed.into());
        }
        Ok(Self {
            seconds,
            until: Instant::now() + Duration::from_secs(seconds),
            commitment,
        })
    }

    /// The same on a chain of this family, whose words alone it knows.
    pub(super) fn on(self, family: Family) -> Result<WaitingFor, Problem> {
        let depth = match &self.commitment {
            None => None,
            Some(word) => {
                let words = Depth::words(family);
                let known = words.iter().find(|known| *known == word);
                let depth = known.and_then(|word| Some((*word, Depth::of_word(family, word)?)));
                Some(depth.ok_or_else(|| {
                    Problem::of(GatewayCode::CommitmentUnknown)
                        .with_detail(format!("This network knows {}.", words.join(", ")))
                })?)
            }
        };
        Ok(WaitingFor {
            seconds: self.seconds,
            until: self.until,
            depth,
        })
    }
}

/// Until when an answer about a payment is kept back, and for what.
#[derive(Debug)]
pub(super) struct WaitingFor {
    seconds: u64,
    until: Instant,
    depth: Option<(&'static str, Depth)>,
}

impl WaitingFor {
    /// The payment as it is then, and the commitment that was asked for, if it is reached.
    pub(super) async fn wait(
        &self,
        app: &App,
        payment: Payment,
    ) -> Result<(Payment, Option<&'static str>), Problem> {
        match self.depth {
            Some((word, depth)) => {
                let (payment, reached) = confirm::reached(app, payment, depth, self.until).await?;
                Ok((payment, reached.then_some(word)))
            }
            None if self.seconds > 0 && payment.facts.submit => {
                Ok((confirm::settled(app, payment, self.until).await?, None))
            }
            None => Ok((payment, None)),
        }
    }
}
