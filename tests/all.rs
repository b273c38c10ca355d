//! Integration tests that go through public doors, in one binary.

mod adopt;
mod browser;
mod cli;
mod config;
mod manage;

mod outside;
mod rtr;
mod wire;
