//! The sessions at one moment, under the names that other looking glasses know them by.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::base::{Family, Time};
use crate::config::session_names;
use crate::server::exchange::Client;

use super::super::calendar::Calendar;
use super::super::census::Census;
use super::super::describe;
use super::super::http::ready;
use super::super::plane::{Current, Plane};
use super::super::view::ClientView;
use super::{Scope, table_name};

/// How long one census serves: who polls often asks the data path no more often.
pub const CENSUS_FOR: Duration = Duration::from_secs(5);

/// The last census.
#[derive(Default)]
pub struct Moments {
    last: Mutex<Option<(Time, Arc<Census>)>>,
}

impl Moments {
    /// With when it was taken, and whether that was before now.
    async fn census(&self, plane: &Plane) -> (Time, Arc<Census>, bool) {
        let mut last = self.last.lock().await;
        let now = plane.data().now();
        if let Some((at, census)) = last.as_ref()
            && now.since(*at) < CENSUS_FOR
            && census.silent.is_empty()
        {
            return (*at, census.clone(), true);
        }
        let census = Arc::new(plane.census_with_advertised().await);
        let at = plane.data().now();
        *last = Some((at, census.clone()));
        (at, census, false)
    }
}

/// All that is known without asking for routes.
pub struct Moment {
    pub current: Arc<Current>,
    pub census: Arc<Census>,
    pub scope: Scope,
    pub calendar: Calendar,
    /// When the census was taken.
    pub at: Time,
    pub from_cache: bool,
    /// In the order of the files.
    pub sessions: Vec<Session>,
}

pub struct Session {
    pub name: String,
    pub client: Arc<Client>,
    pub view: ClientView,
    /// On the server's clock.
    pub since: Time,
}

impl Moment {
    pub async fn take(plane: &Plane, scope: Scope) -> Moment {
        let (at, census, from_cache) = plane.glass().moments.census(plane).await;
        let current = plane.current();
        let calendar = Calendar::now(plane.data());
        let names = session_names(&current.config.clients, scope.0);
        let named = current.config.clients.iter().zip(names);
        let session = |(config, name): (&crate::config::ClientConfig, Option<String>)| {
            let client = current.exchange.client_at(config.address)?.clone();
            let status = census.client(client.slot);
            let since = status.map_or(Time::ZERO, |status| Time(status.since_us));
            let view = describe::client(&client, status, &census, calendar.now.as_micros());
            Some(Session {
                name: name?,
                client,
                view,
                since,
            })
        };
        let sessions = named.filter_map(session).collect();
        Moment {
            current: current.clone(),
            census: census.clone(),
            scope,
            calendar,
            at,
            from_cache,
            sessions,
        }
    }

    /// How the server is; where it is well, in BIRD's words.
    pub fn message(&self, plane: &Plane) -> String {
        let ready = ready(plane, &self.census);
        match ready.ready {
            true => "Daemon is up and running".to_owned(),
            false => ready.why,
        }
    }

    pub fn session(&self, name: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.name == name)
    }

    pub fn accepted(&self) -> u64 {
        let accepted = |session: &Session| session.accepted(self.scope);
        self.sessions.iter().map(accepted).sum()
    }

    pub fn rejected(&self) -> u64 {
        let rejected = |session: &Session| session.rejected(self.scope);
        self.sessions.iter().map(rejected).sum()
    }

    /// So many routes go to a session, by the last count; before the first, what the others have
    /// accepted, which is no less.
    pub fn exported(&self, to: &Session, scope: Scope) -> u64 {
        if !to.view.is_established() {
            return 0;
        }
        if let Some(advertised) = &to.view.advertised {
            return scope.sum(|family| advertised.of(family));
        }
        let families = to.view.families.iter();
        let in_scope = families.filter(|family| scope.0.is_none_or(|only| only == **family));
        let of_family = |family: &Family| -> u64 {
            let others = self.sessions.iter();
            let others = others.filter(|session| session.client.slot != to.client.slot);
            others
                .map(|session| session.view.accepted.of(*family))
                .sum()
        };
        in_scope.map(of_family).sum()
    }
}

impl Session {
    pub fn received(&self, scope: Scope) -> u64 {
        scope.sum(|family| self.view.received.of(family))
    }

    pub fn accepted(&self, scope: Scope) -> u64 {
        scope.sum(|family| self.view.accepted.of(family))
    }

    pub fn rejected(&self, scope: Scope) -> u64 {
        self.received(scope).saturating_sub(self.accepted(scope))
    }

    /// That closes the session.
    pub fn import_limit(&self, scope: Scope) -> Option<u64> {
        let max = |family| self.client.prefix_limits(family).received_max;
        let limits = self
            .families(scope)
            .into_iter()
            .filter_map(max)
            .map(u64::from);
        let limits: Vec<u64> = limits.collect();
        (!limits.is_empty()).then(|| limits.iter().sum())
    }

    /// As BIRD has it: up, start or down.
    pub fn state(&self) -> &'static str {
        match (self.view.is_established(), &self.view.disabled) {
            (true, _) => "up",
            (false, None) => "start",
            (false, Some(_)) => "down",
        }
    }

    pub fn families(&self, scope: Scope) -> Vec<Family> {
        let configured = self.client.session.families;
        scope
            .families()
            .filter(|family| configured.contains(*family))
            .collect()
    }

    /// The first one, where there are two.
    pub fn table(&self, scope: Scope) -> &'static str {
        self.families(scope)
            .first()
            .map_or("master", |family| table_name(*family))
    }

    pub fn address(&self) -> IpAddr {
        self.client.address
    }
}
