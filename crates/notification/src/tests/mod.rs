//! notification through its doors on loopback, on both databases, with stand-ins for dispatch and triage on the bus and
//! real sinks behind it.

mod auditor;
mod breakers;
mod contacts;
mod destinations;
mod door;
mod harness;
mod journey;
mod kills;
mod leases;
mod mail;
mod mail_servers;
mod messengers;
mod overtaking;
mod peers;
mod people_contacts;
mod people_gateways;
mod people_notices;
mod processes;
mod receipt_orders;
mod receipts;
mod restart;
mod sms_failover;
mod sms_gateways;
mod sms_injection;
mod sms_kannel;
mod sms_providers;
mod sms_replies;
mod sms_requests;
mod ssrf;
mod unreadable;
mod webhook_client;
mod webhook_hostile;
mod webhook_keys;
mod webhook_network;
mod withdrawals;
