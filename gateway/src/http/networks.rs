//! What sending costs on a network now, at three speeds: what nodes say, under the ceilings. For showing; the
//! signer judges each payment by its own bytes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::network;
use waiaas_shared::policy::network::network_terms;

use super::auth::Session;
use super::error::{GatewayCode, Problem, ProblemBody};
use crate::app::App;
use crate::chain::{FeeEstimate, UnitPrice};
use crate::pipeline::Refusal;
use crate::pipeline::evaluate::fee_ceiling;

/// What sending the network's own coin costs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fees {
    /// Which network (CAIP-2).
    network: String,
    /// In which asset fees are paid (CAIP-19).
    asset: String,
    /// The most that a fee may be: the lower of the binding policies' ceilings and the configuration's, in base
    /// units. A payment's own `fee_max_base` never exceeds it.
    ceiling_base: String,
    /// When it is cheap.
    slow: Fee,
    /// As most pay.
    normal: Fee,
    /// Ahead of most.
    fast: Fee,
}

/// What it costs at one speed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fee {
    /// Worst-case fee of a plain transfer of the network's coin, in its base units; where that is above the ceiling,
    /// the least that would be needed.
    fee_max_base: String,
    /// Whether nothing can be sent under the ceiling now.
    above_ceiling: bool,
    /// EVM: wei per gas, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fee_per_gas: Option<String>,
    /// EVM: wei per gas for the block's producer, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_priority_fee_per_gas: Option<String>,
    /// Solana: micro-lamports for a compute unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    micro_lamports_per_compute_unit: Option<String>,
}

impl From<&FeeEstimate> for Fee {
    fn from(estimate: &FeeEstimate) -> Self {
        let (gas, compute) = match estimate.price {
            UnitPrice::Gas { max_fee, tip } => (Some((max_fee, tip)), None),
            UnitPrice::Compute(price) => (None, Some(price)),
        };
        Self {
            fee_max_base: estimate.fee_max.to_string(),
            above_ceiling: estimate.above_ceiling,
            max_fee_per_gas: gas.map(|(max_fee, _)| max_fee.to_string()),
            max_priority_fee_per_gas: gas.map(|(_, tip)| tip.to_string()),
            micro_lamports_per_compute_unit: compute.map(|price| price.to_string()),
        }
    }
}

/// Show what sending costs on a network now, at three speeds.
#[utoipa::path(get, path = "/v1/networks/{network}/fees", tag = "networks",
    params(("network" = String, Path, description = "CAIP-2, or the name of a ready network")),
    responses((status = 200, description = "What a node says, under the ceilings", body = Fees),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn fees(
    State(app): State<Arc<App>>,
    _: Session,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Fees>, Problem> {
    let Path(text) = path.map_err(|_| GatewayCode::NotFound)?;
    let id = network::chain(&text).map_err(|_| GatewayCode::NotFound)?;
    let chain = app.chain(id)?;
    let documents = app.views.policy(&*app.signer).await?;
    let ceiling = fee_ceiling(&documents, id).min(chain.max_fee());
    let terms = network_terms(&documents[..], id);
    let estimates = chain
        .fee_estimates(ceiling, terms)
        .await
        .map_err(Refusal::from)?;
    let [slow, normal, fast] = &estimates[..] else {
        return Err(GatewayCode::Internal.into());
    };
    Ok(Json(Fees {
        network: id.to_string(),
        asset: id.native_asset().to_string(),
        ceiling_base: ceiling.to_string(),
        slow: slow.into(),
        normal: normal.into(),
        fast: fast.into(),
    }))
}
