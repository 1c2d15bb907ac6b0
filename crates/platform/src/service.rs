//! What every service stands on: its database, outbox and doors, laid and run in one order for all four.
//!
//! Sockets are bound before this begins. [`Foundation::lay`] opens and migrates the database; the service builds its
//! decisions on it; [`Foundation::run`] starts relay, consumer and doors together and ends when one of them does.

use std::path::PathBuf;
use std::sync::Arc;

use tocsin_proto::catalogue::Service;
use tocsin_proto::operations::v1::operations_service_server::OperationsServiceServer;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Channel;
use tracing::info;

use crate::bus::{Bus, BusError};
use crate::clock::Clock;
use crate::config::{ConfigError, Settings};
use crate::consume::{Consume, Consumer};
use crate::credentials::Credentials;
use crate::database::{Database, DatabaseError, in_short, is_absent};
use crate::failure::{Failure, FailureCode};
use crate::grpc::{self, GrpcError};
use crate::http::{self, Check};
use crate::lifecycle::{LifecycleError, Shutdown, Tasks};
use crate::operations::OperationsDoor;
use crate::outbox::Outbox;
use crate::seal::SealError;

/// What a process gives to each of its services.
pub struct Parts {
    /// The settings of the whole process.
    pub settings: Settings,
    /// The only source of time.
    pub clock: Clock,
    /// The bus, shared by the services of an embedded process.
    pub bus: Bus,
    /// The store of keys.
    pub credentials: Credentials,
    /// The gRPC door, bound.
    pub grpc: TcpListener,
    /// The HTTP door, bound.
    pub http: TcpListener,
    /// The services that may be asked; for triage only.
    pub peers: Option<Peers>,
}

/// The services that triage asks before a release. Connections are made when first used.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Whom would this reach?
    pub dispatch: Channel,
    /// What would each literally read?
    pub notification: Channel,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A statement at the start failed.
    #[error("the database failed at the start")]
    Statement(#[from] sea_orm::DbErr),
    /// A key file cannot be used.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The bus cannot be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A door or a channel to a peer cannot be used.
    #[error(transparent)]
    Grpc(#[from] GrpcError),
    /// The store of keys refused something.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Something of one service's own.
    #[error("{0}")]
    Other(String),
}

impl StartError {
    /// Whether the database is not there yet, so that the same start may work later. Everything else is wrong and stays so.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Database(DatabaseError::Open { source, .. } | DatabaseError::Migrate { source })
            | Self::Statement(source) => is_absent(source),
            Self::Failure(failure) => failure.code == FailureCode::Unavailable,
            _ => false,
        }
    }

    /// What a log may keep of a database's error: its kind and code, never its own words.
    pub fn in_short(&self) -> Option<String> {
        match self {
            Self::Database(DatabaseError::Open { source, .. } | DatabaseError::Migrate { source })
            | Self::Statement(source) => Some(in_short(source)),
            _ => None,
        }
    }
}

/// A service's database, outbox and doors.
pub struct Foundation {
    /// Which service stands on it.
    pub service: Service,
    /// The settings of the whole process.
    pub settings: Settings,
    /// The only source of time.
    pub clock: Clock,
    /// The bus.
    pub bus: Bus,
    /// The service's own database, migrated.
    pub database: Database,
    /// The service's outbox in that database.
    pub outbox: Outbox,
    /// The store of keys.
    pub credentials: Credentials,
    /// The services that may be asked; triage has them.
    pub peers: Option<Peers>,
    grpc: TcpListener,
    http: TcpListener,
    checks: Vec<Check>,
}

/// What a service adds to its foundation.
pub struct Doors {
    /// Its gRPC services.
    pub routes: Routes,
    /// Its JSON door, or an empty router.
    pub router: axum::Router,
    /// What it does with events.
    pub consume: Arc<dyn Consume>,
    /// Its reconcilers and workers, already started.
    pub tasks: Tasks,
}

impl Foundation {
    /// Opens the service's database, applies what migrations are missing, and makes its outbox.
    pub async fn lay<M: sea_orm_migration::MigratorTrait>(service: Service, parts: Parts) -> Result<Self, StartError> {
        let database = Database::open(&parts.settings.database, service).await?;
        database.migrate::<M>().await?;
        let outbox = Outbox::new(service, database.clone(), parts.bus.clone(), parts.clock.clone());
        Ok(Self {
            service,
            settings: parts.settings,
            clock: parts.clock,
            bus: parts.bus,
            database,
            outbox,
            credentials: parts.credentials,
            peers: parts.peers,
            grpc: parts.grpc,
            http: parts.http,
            checks: Vec::new(),
        })
    }

    /// Adds something without which this service cannot do its work.
    pub fn require(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// The folder for the service's key files.
    pub fn folder(&self) -> PathBuf {
        self.settings.key_folder.clone()
    }

    /// Runs relay, consumer, doors and the service's own tasks until the drain, or until one of them dies.
    pub async fn run(mut self, doors: Doors, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let (service, mut tasks) = (self.service, doors.tasks);
        let limits = self.settings.limits;
        let tls = self.settings.services.of(service).tls.clone();
        let addresses = (self.grpc.local_addr().ok(), self.http.local_addr().ok());
        let readiness = self.readiness();
        let operations = OperationsDoor {
            service,
            database: self.database.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            credentials: self.credentials.clone(),
        };
        let services = doors.routes.add_service(OperationsServiceServer::new(operations));
        tasks.spawn(format!("{service} relay"), self.outbox.clone().run_relay(shutdown.clone()));
        let consumer = Consumer::new(service, self.database.clone(), self.bus, self.clock, self.outbox, doors.consume);
        tasks.spawn(format!("{service} consumer"), consumer.run(shutdown.clone()));
        let router = doors.router.merge(http::operations_routes(readiness));
        let (web_tls, web_shutdown) = (tls.clone(), shutdown.clone());
        tasks.spawn(format!("{service} http"), async move {
            http::serve_with(self.http, router, web_tls.as_ref(), limits, web_shutdown).await
        });
        let grpc_shutdown = shutdown.clone();
        tasks.spawn(format!("{service} grpc"), async move {
            grpc::server(self.grpc, services, &[service.as_str()], tls.as_ref(), grpc_shutdown).await
        });
        if let (Some(grpc), Some(http)) = addresses {
            info!(service = service.as_str(), address = %grpc, "the gRPC door is open");
            info!(service = service.as_str(), address = %http, "the HTTP door is open");
        }
        tasks.run_until(shutdown).await
    }

    /// A service is ready while its own database answers and it has what it requires. The bus may be away: the outbox holds what is accepted.
    fn readiness(&mut self) -> Vec<Check> {
        let (database, credentials) = (self.database.clone(), self.credentials.clone());
        let mut checks = std::mem::take(&mut self.checks);
        checks.extend([
            Check::new("database", move || {
                let database = database.clone();
                async move { database.ping().await.is_ok() }
            }),
            Check::new("keys", move || {
                let credentials = credentials.clone();
                async move { credentials.database().ping().await.is_ok() }
            }),
        ]);
        checks
    }
}
