//! Integration tests that go through public doors, in one binary.

mod cli;
mod config;
mod manage;
mod outside;
mod wire;
