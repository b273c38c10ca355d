//! Import verdicts, control communities and audiences, through their public doors.

mod audiences;
mod import;
mod scheme;
