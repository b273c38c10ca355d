//! The lines of a trace, as the server writes them and `rialto client NAME trace` reads them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::base::{Asn, Family};

use super::super::view::AttributesView;

/// One line of JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TraceLine {
    /// RFC 3339, UTC, with microseconds.
    pub at: String,
    #[serde(flatten)]
    pub what: Traced,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Traced {
    /// The first line: how things are.
    Began {
        client: String,
        asn: Asn,
        address: IpAddr,
        for_s: u64,
        /// `None`: it is not up.
        session: Option<Box<SessionView>>,
    },
    Up {
        session: Box<SessionView>,
    },
    Down {
        reason: String,
    },
    /// A connection ended before the session was established.
    NotEstablished {
        reason: String,
    },
    /// The client said this.
    Received(MessageView),
    /// It was told this.
    Sent(MessageView),
    /// What happened here is lost: there was too much at once, or the lines were not read fast enough.
    Missed,
    /// The last line.
    Ended {
        why: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionView {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub router_id: Ipv4Addr,
    pub hold_time_s: u16,
    pub families: Vec<Family>,
    /// In which it is sent several paths.
    pub add_path: Vec<Family>,
    pub four_octet: bool,
    pub extended_messages: bool,
    /// What it said of itself, and what it was told of us.
    pub received_open: Option<OpenView>,
    pub sent_open: Option<OpenView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenView {
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub hold_time_s: u16,
    /// In words.
    pub capabilities: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessageView {
    /// OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH.
    pub kind: String,
    /// Of the whole message.
    pub octets: usize,
    /// What an UPDATE says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub update: Option<UpdateView>,
    /// What another message says, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// In an OPEN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open: Option<OpenView>,
    /// Why it cannot be read; the octets are in `hexadecimal`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hexadecimal: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UpdateView {
    pub withdrawn: Vec<NlriView>,
    /// One for each next hop.
    pub announced: Vec<AnnouncedView>,
    pub end_of_rib: Option<Family>,
    /// Why all of it is withdrawn instead (RFC 7606).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub treat_as_withdraw: Option<String>,
    /// What was left out of it, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub discarded: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnnouncedView {
    pub attributes: AttributesView,
    pub prefixes: Vec<NlriView>,
}

/// One prefix, and what import says of it now, if it was announced to us.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NlriView {
    pub prefix: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted: Option<bool>,
    /// Why it is rejected, or what is wrong with it all the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// valid, invalid, not_found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rpki: Option<String>,
}
