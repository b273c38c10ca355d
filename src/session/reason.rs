//! Why a session ended, in a line that an operator understands at three in the morning.

use std::fmt;

use crate::wire::Notification;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DownReason {
    /// We ended it with Cease: the operator, a limit, a collision. The text is for our operator.
    Stopped {
        notification: Notification,
        message: String,
    },
    /// We closed TCP without a NOTIFICATION, so that the peer keeps our routes (RFC 4724).
    Restarting,
    /// The peer ended it.
    PeerNotification(Notification),
    /// TCP ended without a NOTIFICATION.
    PeerClosed,
    /// It connected anew, so the connection before is dead (RFC 4724 §4.2).
    Superseded,
    /// The peer broke the protocol, and was told so.
    Fault {
        notification: Notification,
        what: String,
    },
    /// Nothing was heard for the negotiated hold time.
    HoldTimer { hold_time_s: u16 },
    /// No OPEN came.
    OpenTimer { wait_s: u16 },
    /// RFC 9687: nothing could be sent.
    SendHoldTimer { send_hold_time_s: u16 },
}

impl DownReason {
    /// Whether the peer chose to end it, in order or by closing TCP.
    pub const fn is_by_peer(&self) -> bool {
        matches!(
            self,
            DownReason::PeerNotification(_) | DownReason::PeerClosed | DownReason::Superseded
        )
    }

    /// Whether something is wrong, rather than somebody wanting it so (RFC 4486: Administrative
    /// Shutdown, Peer De-configured, Administrative Reset, Other Configuration Change, collision).
    pub fn is_trouble(&self) -> bool {
        const CEASE: u8 = 6;
        const WANTED: [u8; 5] = [2, 3, 4, 6, 7];
        match self {
            DownReason::Stopped { notification, .. }
            | DownReason::PeerNotification(notification) => {
                let notification = notification.meant();
                notification.code != CEASE || !WANTED.contains(&notification.subcode)
            }
            DownReason::PeerClosed | DownReason::Superseded | DownReason::Restarting => false,
            _ => true,
        }
    }

    /// The NOTIFICATION that ended it, sent or received.
    pub const fn notification(&self) -> Option<&Notification> {
        match self {
            DownReason::Stopped { notification, .. }
            | DownReason::PeerNotification(notification)
            | DownReason::Fault { notification, .. } => Some(notification),
            _ => None,
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownReason::Stopped {
                notification,
                message,
            } => {
                write!(f, "sent {notification}")?;
                match message.as_str() {
                    "" => Ok(()),
                    _ if notification.meant().text().is_some() => Ok(()),
                    message => write!(f, ": {message}"),
                }
            }
            DownReason::Restarting => f.write_str(
                "closed without a NOTIFICATION, for a restart of this server: the peer keeps its routes (RFC 4724)",
            ),
            DownReason::PeerNotification(notification) => write!(f, "peer sent {notification}"),
            DownReason::PeerClosed => {
                f.write_str("peer closed the TCP connection without a NOTIFICATION")
            }
            DownReason::Superseded => f.write_str(
                "peer connected anew: the connection before is given up (RFC 4724 §4.2)",
            ),
            DownReason::Fault { notification, what } => {
                write!(f, "peer's fault: {what}; sent {notification}")
            }
            DownReason::HoldTimer { hold_time_s } => {
                write!(
                    f,
                    "hold timer expired: nothing heard from the peer for {hold_time_s} s"
                )
            }
            DownReason::OpenTimer { wait_s } => write!(f, "peer sent no OPEN within {wait_s} s"),
            DownReason::SendHoldTimer { send_hold_time_s } => {
                write!(
                    f,
                    "send hold timer expired: the peer took no octet from us for {send_hold_time_s} s"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wanted_is_no_trouble_and_all_else_is() {
        let sent = |code, subcode| DownReason::Stopped {
            notification: notification(code, subcode),
            message: String::new(),
        };
        let cases = [
            ("the operator shut it down", sent(6, 2), false),
            ("it was reset", sent(6, 4), false),
            ("a limit was passed", sent(6, 1), true),
            (
                "the operator shut it down, by a Hard Reset",
                DownReason::Stopped {
                    notification: notification(6, 2).into_hard_reset(),
                    message: String::new(),
                },
                false,
            ),
            (
                "a limit was passed, and a Hard Reset sent",
                DownReason::PeerNotification(notification(6, 1).into_hard_reset()),
                true,
            ),
            ("this server restarts", DownReason::Restarting, false),
            (
                "the peer shut it down",
                DownReason::PeerNotification(notification(6, 2)),
                false,
            ),
            (
                "the peer has a bad peer AS",
                DownReason::PeerNotification(notification(2, 2)),
                true,
            ),
            ("the peer went away", DownReason::PeerClosed, false),
            (
                "nothing was heard",
                DownReason::HoldTimer { hold_time_s: 90 },
                true,
            ),
        ];
        for (name, reason, trouble) in cases {
            assert_eq!(reason.is_trouble(), trouble, "{name}");
        }
    }

    fn notification(code: u8, subcode: u8) -> Notification {
        Notification {
            code,
            subcode,
            data: Vec::new(),
        }
    }
}
