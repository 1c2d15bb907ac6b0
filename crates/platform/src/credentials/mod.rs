//! Who calls: opaque random keys, of which only the hash is stored, and the principals they stand for.
//!
//! The store is a database of its own that one service writes and every service reads. Answers are cached for 15 s, so
//! a revoked key works at most that long; when the store is away they hold for 60 s, then everybody is refused.

mod cache;
mod entity;
mod key;
mod migration;
mod store;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use tocsin_domain::country::CountryCode;
use tocsin_domain::id::{ActorId, OrganisationId};
use tocsin_domain::role::{Action, Role, any_may};
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Secret;
use crate::database::{Database, DatabaseError, DatabaseSettings};
use crate::failure::Failure;
use cache::{Cache, Known, Looked};

/// Who calls, and what they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The person or program.
    pub actor: ActorId,
    /// Its name, for people inside the network.
    pub name: String,
    /// What it is to the network.
    pub roles: Vec<Role>,
    /// The organisation it belongs to.
    pub organisation: Option<OrganisationId>,
    /// The country it acts from, for conflicts of interest.
    pub country: Option<CountryCode>,
}

impl Principal {
    /// Whether it has at least one of the roles.
    pub fn has_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    /// Whether any of its roles may do this.
    pub fn may(&self, action: Action) -> bool {
        any_may(&self.roles, action)
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The person or program that will hold it.
    pub actor: ActorId,
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// At least one role.
    pub roles: Vec<Role>,
    /// The organisation it belongs to.
    pub organisation: Option<OrganisationId>,
    /// The country it acts from.
    pub country: Option<CountryCode>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made. The secret is shown once and cannot be found again.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// Names the key for revoking.
    pub id: Uuid,
    /// What its holder sends.
    pub secret: Secret,
}

/// A key as it is listed: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Names the key for revoking.
    pub id: Uuid,
    /// Whom it stands for.
    pub principal: Principal,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// How to send a key, for every message that asks for one.
const HOW_TO_SEND: &str = "send `authorization: Bearer tcs_...`";

/// The store of keys. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    clock: Clock,
    cache: Cache,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

impl Credentials {
    /// Opens the store (the file `keys.sqlite` beside the services' own, or the schema `keys`) and brings its table up
    /// to date; with a role that may only read there, waits until triage has done so.
    pub async fn open(settings: &DatabaseSettings, clock: Clock) -> Result<Self, DatabaseError> {
        let database = Database::open_named(&store::settings(settings), "keys").await?;
        if !turn::migrate(&database).await? {
            turn::wait(&database).await?;
        }
        Ok(Self { inner: Arc::new(Inner { database, clock, cache: Cache::default() }) })
    }

    /// Brings the table up to date without waiting; `false` when this role may only read.
    pub async fn migrate(settings: &DatabaseSettings) -> Result<bool, DatabaseError> {
        turn::migrate(&Database::open_named(&store::settings(settings), "keys").await?).await
    }

    /// The database of the store, for copies and readiness checks.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Makes a key.
    pub async fn issue(&self, new: NewKey) -> Result<IssuedKey, Failure> {
        store::check(&new, self.inner.clock.now())?;
        let (secret, hash) = key::generate()?;
        let id = Uuid::now_v7();
        let transaction = self.inner.database.begin().await?;
        store::insert(&transaction, id, &hash, &new, self.inner.clock.now_ms()).await?;
        crate::database::commit(transaction, "keys.issue").await?;
        Ok(IssuedKey { id, secret })
    }

    /// Ends a key. Ending it twice changes nothing. Other processes may honour it for 15 s more. The last key of an
    /// administrator cannot be ended: nobody could issue another.
    pub async fn revoke(&self, id: Uuid) -> Result<(), Failure> {
        let now = self.inner.clock.now();
        let is_administrator = |key: &KeyRecord| {
            let lives = key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now);
            lives && key.principal.has_any(&[Role::Administrator])
        };
        let keys = self.list().await?;
        let administrators = || keys.iter().filter(|key| is_administrator(key));
        if administrators().any(|key| key.id == id) && administrators().count() == 1 {
            let says = "this is the last key of an administrator; issue another one first";
            return Err(Failure::refused("LAST_ADMINISTRATOR", says));
        }
        let transaction = self.inner.database.begin().await?;
        let known = store::revoke(&transaction, id, self.inner.clock.now_ms()).await?;
        crate::database::commit(transaction, "keys.revoke").await?;
        self.inner.cache.clear();
        if known {
            Ok(())
        } else {
            Err(Failure::not_found("KEY_NOT_FOUND", "there is no key with this id; list the keys to find it"))
        }
    }

    /// Every key, the newest first.
    pub async fn list(&self) -> Result<Vec<KeyRecord>, Failure> {
        store::list(self.inner.database.reader()).await
    }

    /// An administrator's key if the store is empty. `tell` hears it before it is committed: a process that dies between
    /// the two has told a key that opens nothing, and the next start tells another. The other way round nobody would
    /// ever know the only key there is.
    pub async fn bootstrap(&self, tell: impl FnOnce(&IssuedKey) + Send) -> Result<Option<IssuedKey>, Failure> {
        let (secret, hash) = key::generate()?;
        let transaction = self.inner.database.begin().await?;
        let made = store::insert_first(&transaction, &hash, self.inner.clock.now_ms()).await?;
        if !made {
            return Ok(None);
        }
        let key = IssuedKey { id: store::BOOTSTRAP_ID, secret };
        tell(&key);
        crate::database::commit(transaction, "keys.bootstrap").await?;
        Ok(Some(key))
    }

    /// Whom a key stands for. Refusals have the reasons `KEY_UNKNOWN`, `KEY_EXPIRED` and `KEY_REVOKED`; a store that
    /// is away for 60 s answers `KEYS_AWAY` to everybody.
    pub async fn authenticate(&self, secret: &str) -> Result<Principal, Failure> {
        let Some(hash) = key::hash(secret) else { return Err(unknown()) };
        let known = match self.inner.cache.look(&hash) {
            Looked::Fresh(known) => known,
            Looked::Unknown => return Err(unknown()),
            Looked::Stale(known) => match self.read(&hash).await {
                Ok(found) => found.ok_or_else(unknown)?,
                Err(error) => {
                    log_away(&error);
                    known
                }
            },
            Looked::Absent => match self.read(&hash).await {
                Ok(found) => found.ok_or_else(unknown)?,
                Err(error) => {
                    log_away(&error);
                    return Err(away());
                }
            },
        };
        self.judge(&known)
    }

    async fn read(&self, hash: &[u8; 32]) -> Result<Option<Arc<Known>>, DbErr> {
        let found = store::find(self.inner.database.reader(), hash).await?.map(Arc::new);
        self.inner.cache.put(*hash, found.clone());
        Ok(found)
    }

    fn judge(&self, known: &Known) -> Result<Principal, Failure> {
        let now = self.inner.clock.now_ms();
        if known.revoked_at_ms.is_some() {
            return Err(Failure::unauthenticated(
                "KEY_REVOKED",
                "this key was revoked; ask an administrator for a new one",
            ));
        }
        if known.expires_at_ms.is_some_and(|expires| expires <= now) {
            return Err(Failure::unauthenticated(
                "KEY_EXPIRED",
                "this key has expired; ask an administrator for a new one",
            ));
        }
        Ok(known.principal.clone())
    }

    /// Whom the key in a gRPC call's metadata stands for.
    pub async fn authenticate_request(&self, metadata: &MetadataMap) -> Result<Principal, Failure> {
        self.authenticate_header(metadata.get("authorization").map(|value| value.to_str().unwrap_or_default())).await
    }

    /// Whom the key in an HTTP request's headers stands for.
    pub async fn authenticate_headers(&self, headers: &http::HeaderMap) -> Result<Principal, Failure> {
        let header = headers.get(http::header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
        self.authenticate_header(header).await
    }

    /// A header that is there but is no text counts as an unknown key, not as a missing one.
    async fn authenticate_header(&self, header: Option<&str>) -> Result<Principal, Failure> {
        let Some(header) = header else {
            return Err(Failure::unauthenticated("KEY_MISSING", format!("a key is needed: {HOW_TO_SEND}")));
        };
        match header.split_once(' ') {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => self.authenticate(secret.trim()).await,
            _ => Err(unknown()),
        }
    }

    /// The caller of a gRPC request, who must have one of the roles.
    pub async fn require(&self, metadata: &MetadataMap, roles: &[Role]) -> Result<Principal, Failure> {
        let principal = self.authenticate_request(metadata).await?;
        if principal.has_any(roles) {
            return Ok(principal);
        }
        Err(missing_role(roles))
    }

    /// The caller of a gRPC request, one of whose roles must allow the action.
    pub async fn require_action(&self, metadata: &MetadataMap, action: Action) -> Result<Principal, Failure> {
        let principal = self.authenticate_request(metadata).await?;
        if principal.may(action) {
            return Ok(principal);
        }
        let roles: Vec<Role> = Role::ALL.iter().copied().filter(|role| any_may(&[*role], action)).collect();
        Err(missing_role(&roles))
    }
}

fn missing_role(roles: &[Role]) -> Failure {
    let needed = roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Failure::forbidden("ROLE_MISSING", format!("this needs a key with one of the roles: {needed}"))
}

fn unknown() -> Failure {
    Failure::unauthenticated("KEY_UNKNOWN", format!("this key is not known: check it, and {HOW_TO_SEND}"))
}

fn away() -> Failure {
    Failure::unavailable("KEYS_AWAY", "keys cannot be checked at the moment; try again shortly")
        .retry_after(Duration::from_secs(1))
}

fn log_away(error: &DbErr) {
    tracing::warn!(
        error_kind = if crate::database::is_busy_or_away(error) { "away" } else { "failed" },
        "the store of keys does not answer; known keys hold for 60 s"
    );
}

#[cfg(test)]
mod tests;
