//! What all extensions need, made ready at once.

use std::convert::Infallible;
use std::sync::Arc;

use operator_server::ServerError;
use vocab::{Fault, Work, side_by_side};

use crate::distribution::EnvironmentEngine;
use crate::extension_host::AskedDistribution;
use crate::operator_host::OperatorHost;

/// Distributions that are made ready at the same time: each may unpack gigabytes.
const AT_ONCE: usize = 2;

/// How far an extension is.
#[derive(Clone, Debug)]
pub enum ExtensionStage {
    /// Its operators are known, and distributions are not registered here.
    Registered,
    /// Its distribution is made ready now. A call of its operators waits for that.
    Preparing,
    /// Its operators can run.
    Ready,
    Unavailable(Arc<dyn Fault>),
}

/// An available extension and how far it is.
#[derive(Clone, Debug)]
pub struct ExtensionState {
    pub namespace: String,
    pub stage: ExtensionStage,
}

impl OperatorHost {
    /// Makes the distributions of all available extensions ready, and says each step. One that fails keeps no other back.
    /// Returns how far each came.
    pub fn load(
        &self,
        work: &Work,
        engine: &(dyn EnvironmentEngine + Sync),
        tell: &(dyn Fn(&ExtensionState) + Sync),
    ) -> Result<Vec<ExtensionState>, ServerError> {
        let host = self.host();
        let needs = host.needs();
        let is_registered_only = host.settings.skip_registration.value;
        let said = |asked: &AskedDistribution, stage: &ExtensionStage| -> Vec<ExtensionState> {
            let state = |namespace: &String| ExtensionState { namespace: namespace.clone(), stage: stage.clone() };
            let states: Vec<ExtensionState> = asked.namespaces.iter().map(state).collect();
            states.iter().for_each(tell);
            states
        };
        let one = |(): &mut (), index: usize| -> Result<Vec<ExtensionState>, Infallible> {
            let asked = &needs[index];
            if is_registered_only {
                return Ok(said(asked, &ExtensionStage::Registered));
            }
            said(asked, &ExtensionStage::Preparing);
            let stage = match self.ready_distribution(&host, asked, work, engine, true) {
                Ok(_) => ExtensionStage::Ready,
                Err(fault) => ExtensionStage::Unavailable(Arc::from(fault)),
            };
            Ok(said(asked, &stage))
        };
        let Ok(states) = side_by_side(AT_ONCE, needs.len(), || (), one);
        if work.is_cancelled() {
            return Err(ServerError::Cancelled);
        }
        let mut states: Vec<ExtensionState> = states.into_iter().flatten().collect();
        states.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Ok(states)
    }
}
