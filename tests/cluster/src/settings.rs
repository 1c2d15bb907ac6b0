//! The settings file of each process: what all share, and the doors that are its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use tocsin_tests::Outcome;
use tocsin_tests::installation::{Door, Doors, SERVICES};
use tocsin_tests::stage::roster;

use crate::hosts::Hosts;
use crate::nats::Nodes;
use crate::postgres::Postgres;

/// How many processes each service has: one on each of the first two hosts.
pub const PROCESSES: usize = 2;

/// What the settings of all processes are written from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where members live.
    pub hosts: Hosts,
    /// The nodes of NATS.
    pub nats: Nodes,
    /// The database.
    pub postgres: Postgres,
    /// Where the services of each host listen, on their host's own loopback.
    doors: [Doors; PROCESSES],
    /// The settings that make notification send to the receivers.
    receivers: String,
}

impl Plan {
    /// Chooses everybody's ports. `receivers` are the settings of where messages go.
    pub fn choose(folder: &Path, hosts: Hosts, receivers: String) -> Outcome<Self> {
        Ok(Self {
            nats: Nodes::choose(folder, &hosts)?,
            postgres: Postgres::make(folder, &hosts)?,
            doors: [Doors::free()?, Doors::free()?],
            hosts,
            receivers,
        })
    }

    /// Where a host's services listen.
    pub fn listening(&self, host: usize) -> Doors {
        let [first, second] = self.doors;
        if host == 0 { first } else { second }
    }

    /// Where everybody else reaches them.
    pub fn reachable(&self, host: usize) -> Doors {
        let address = self.hosts.address(host);
        let moved = |door: Door| Door {
            grpc: SocketAddr::new(address, door.grpc.port()),
            http: SocketAddr::new(address, door.http.port()),
        };
        let doors = self.listening(host);
        Doors {
            intake: moved(doors.intake),
            triage: moved(doors.triage),
            dispatch: moved(doors.dispatch),
            notification: moved(doors.notification),
        }
    }

    /// The settings file of the services of one host.
    pub fn text(&self, folder: &Path, host: usize) -> Outcome<String> {
        let (listening, reachable) = (self.listening(host), self.reachable(host));
        let mut text = format!(
            "data_folder = \"{}\"\npublic_url = \"http://{}\"\n\n[database]\nurl = \"{}\"\nconnections_max = 8\n\n\
             [bus]\nkind = \"nats\"\nurl = \"{}\"\nreplicas = 3\n",
            folder.join("data").display(),
            reachable.dispatch.http,
            self.postgres.url(),
            self.nats.urls(),
        );
        for ((name, own), (_, seen)) in listening.all().into_iter().zip(reachable.all()) {
            writeln!(
                text,
                "\n[services.{name}]\ngrpc = \"{}\"\nhttp = \"{}\"\nurl = \"http://{}\"",
                own.grpc, own.http, seen.grpc
            )?;
        }
        writeln!(text, "\n[notification.sms]\nreceipt_url = \"http://{}\"", reachable.notification.http)?;
        text.push_str(&self.receivers);
        text.push_str(&roster());
        Ok(text)
    }
}

/// The name of one process of a service.
pub fn name(service: usize, host: usize) -> String {
    format!("{}-{}", SERVICES.get(service).copied().unwrap_or_default(), host + 1)
}
