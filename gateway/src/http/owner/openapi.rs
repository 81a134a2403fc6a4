//! The description of the owner's routes, made from their own declarations; `openapi` of the whole surface takes it
//! in.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    audit, channels, login, overview, people, policies, statements, stop, waiting, wallets,
};

/// The owner's routes.
#[derive(Debug, OpenApi)]
#[openapi(
    paths(
        login::challenge,
        login::login,
        login::logout,
        overview::show,
        waiting::list,
        waiting::show,
        waiting::draft,
        waiting::cancel,
        statements::draft,
        statements::submit,
        people::owners,
        people::agents,
        people::agent,
        people::suspend,
        people::terminate,
        people::sessions,
        people::session,
        people::revoke,
        wallets::list,
        wallets::balances,
        wallets::pools,
        policies::list,
        policies::show,
        policies::explain,
        policies::difference,
        policies::replay,
        audit::page,
        audit::head,
        channels::list,
        channels::test,
        channels::webhooks,
        stop::pause,
        stop::kill
    ),
    modifiers(&Scheme)
)]
pub struct OwnerDescription;

#[derive(Debug)]
struct Scheme;

impl Modify for Scheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token from POST /v1/owner/login, for 15 minutes: lets an owner see and stop, and loosens nothing",
            ))
            .build();
        components.add_security_scheme("owner_token", SecurityScheme::Http(bearer));
    }
}
