//! A row of `api_keys`.

use sea_orm::entity::prelude::*;

/// One key, without its secret.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(super) struct Model {
    /// Names the key for revoking.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    /// SHA-256 of the secret.
    #[sea_orm(unique)]
    pub(super) secret_hash: Vec<u8>,
    /// Who holds it.
    pub(super) actor: String,
    /// The holder's name.
    pub(super) name: String,
    /// Role codes, separated by commas.
    pub(super) roles: String,
    /// The organisation it belongs to.
    pub(super) organisation: Option<String>,
    /// The country it acts from.
    pub(super) country: Option<String>,
    /// When it was made.
    pub(super) created_at_ms: i64,
    /// When it ends by itself.
    pub(super) expires_at_ms: Option<i64>,
    /// When it was revoked.
    pub(super) revoked_at_ms: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
