//! From a query that was read to a plan that can be run.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser;
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::cancel::{Cancel, GiveWay};
use crate::codes::ByCodes;
use crate::names::{Names, lower_functions, separate_fields};
use crate::output::{self, Output};
use crate::running::{Column, note_unread};
use crate::scan::{FooterCache, Meter, Scans, Table, Wanted};
use crate::unnest::{self, UnnestPlanner};
use crate::windows::{self, Bounds};
use crate::{Limits, SqlError, Statement, TableData};
use crate::{diagnose, fetch, format, functions, like, mismatch, parameters, rewrite, statement};

/// How many rows operators pass at a time.
const BATCH_ROWS: usize = 8192;

/// Bytes that the copies of a constant may take in one batch.
const COPIES_OF_CONSTANTS: usize = 16 << 20;

/// Memory that a sort sets aside for merging what it has spilled, in bytes.
const SORT_RESERVATION: usize = 2 << 20;

/// Functions of DataFusion's that Trino has not and that make values of any size out of a number.
const UNBOUNDED: [&str; 4] = ["range", "generate_series", "array_repeat", "array_resize"];

/// What plans need of the engine.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) footers: Arc<FooterCache>,
    pub(crate) partitions: usize,
    /// Memory of operators that hold rows, in bytes.
    pub(crate) memory: usize,
}

impl Shared {
    /// The same for a query with these limits.
    fn of(&self, limits: &Limits) -> Result<Self, SqlError> {
        if limits.spills {
            return Ok(self.clone());
        }
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled).build();
        let disk = disk.map_err(|error| SqlError::Internal(error.strip_backtrace()))?;
        let runtime = RuntimeEnv { disk_manager: Arc::new(disk), ..RuntimeEnv::clone(&self.runtime) };
        Ok(Self { runtime: Arc::new(runtime), ..self.clone() })
    }
}

/// A query that can be run.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
    pub(crate) columns: Vec<Column>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) cancel: Cancel,
}

/// A query with what it is to be run over.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) statement: Statement,
    pub(crate) tables: BTreeMap<String, TableData>,
    pub(crate) parameters: Vec<String>,
    pub(crate) limits: Limits,
}

/// Plans a query.
///
/// # Errors
/// As [`Engine::run`](crate::Engine::run) has them.
pub(crate) async fn plan(shared: &Shared, request: Request, cancel: Cancel) -> Result<Planned, SqlError> {
    let Request { statement, tables, parameters, limits } = request;
    let text = statement.text();
    for table in statement.tables() {
        if !tables.contains_key(table) {
            let suggestion = diagnose::nearest(table, tables.keys().map(String::as_str));
            return Err(SqlError::Mistake(crate::Mistake {
                place: text.find(table, false),
                message: format!("Table '{table}' does not exist."),
                suggestion,
            }));
        }
    }
    let names = Names::of(&tables, text)?;
    let mut tokens = names.spell(text.to_vec());
    parameters::fill(&mut tokens, &parameters)?;
    let meter = Arc::new(Meter::default());
    let unnests = text.tokens().any(|token| is_unnest(&token.token));
    let wanted = Arc::default();
    let kinds = kinds(&tables);
    let session = session(&shared.of(&limits)?, tables, &meter, &wanted, &cancel, unnests)?;
    let mut query = statement::query(text, tokens)?;
    let output = Output::of(&query, text);
    output::alias(&mut query);
    separate_fields(&mut query);
    lower_functions(&mut query);
    like::rewrite(&mut query)?;
    fetch::as_limit(&mut query);
    let logical = logical(&session, query, limits).await.map_err(|error| match error {
        Failed::Sql(error) => error,
        Failed::Planning(error) => diagnose::planning(&error, text, &session, &kinds),
    })?;
    let columns = columns(&logical, &output);
    let bounds = Bounds { cancel: cancel.clone(), bytes: shared.memory };
    let (plan, context) = physical(&session, &logical, &wanted, &bounds)
        .await
        .map_err(|error| diagnose::planning(&error, text, &session, &kinds))?;
    note_unread(plan.as_ref(), &meter);
    Ok(Planned { plan, context, columns, meter, cancel })
}

enum Failed {
    Sql(SqlError),
    Planning(datafusion::error::DataFusionError),
}

impl From<datafusion::error::DataFusionError> for Failed {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Failed::Planning(error)
    }
}

async fn logical(
    session: &SessionContext,
    query: Box<ast::Query>,
    limits: Limits,
) -> Result<LogicalPlan, Failed> {
    let mut statement = ast::Statement::Query(query);
    rewrite::rewrite(&mut statement, session)?;
    let statement = parser::Statement::Statement(Box::new(statement));
    let plan = unnest::expand(session.state().statement_to_plan(statement).await?)?;
    let Some(rows) = limits.rows else { return Ok(plan) };
    let rows = usize::try_from(rows)
        .map_err(|_| Failed::Sql(SqlError::mistake("The limit of rows is too large.")))?;
    Ok(LogicalPlanBuilder::from(plan).limit(0, Some(rows))?.build()?)
}

/// Optimizes the plan, tells the tables which fields it reads, and makes it one that can be run.
async fn physical(
    session: &SessionContext,
    plan: &LogicalPlan,
    wanted: &OnceLock<Wanted>,
    bounds: &Bounds,
) -> datafusion::error::Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
    let mut state = session.state();
    if joins(plan)? {
        // DataFusion gives the accesses to fields of both sides one name, and then can't tell the sides apart.
        state.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
    }
    let optimized = state.optimize(plan)?;
    wanted.get_or_init(|| Wanted::of(&optimized).unwrap_or_default());
    let optimized = windows::bound(optimized, bounds)?;
    state.config_mut().options_mut().execution.batch_size = rows_of_a_batch(&optimized)?;
    let plan = state.query_planner().create_physical_plan(&optimized, &state).await?;
    Ok((plan, Arc::new(TaskContext::from(&state))))
}

/// How many rows operators pass at a time: fewer where the query has a large constant, of which each row gets a copy.
fn rows_of_a_batch(plan: &LogicalPlan) -> datafusion::error::Result<usize> {
    let mut largest = 1;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Literal(value, _) = expr {
                    largest = largest.max(value.size());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok((COPIES_OF_CONSTANTS / largest).clamp(1, BATCH_ROWS))
}

/// Whether rows of several tables come together, also by a subquery in an expression, which becomes a join.
fn joins(plan: &LogicalPlan) -> datafusion::error::Result<bool> {
    let (mut scans, mut all_scans) = (0, 0);
    plan.apply(|node| {
        scans += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    plan.apply_with_subqueries(|node| {
        all_scans += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(all_scans > scans || plan.exists(|node| Ok(matches!(node, LogicalPlan::Join(_))))?)
}

/// The types of all columns.
fn kinds(tables: &BTreeMap<String, TableData>) -> mismatch::Columns {
    let fields = tables.values().flat_map(|table| table.schema.fields());
    fields.map(|field| (field.name().to_lowercase(), field.data_type().clone())).collect()
}

fn columns(plan: &LogicalPlan, output: &Output) -> Vec<Column> {
    output
        .names(plan)
        .into_iter()
        .zip(plan.schema().fields())
        .map(|(name, field)| Column { name, kind: format::type_name(field.data_type()) })
        .collect()
}

/// A session that knows the query's tables and nothing else.
fn session(
    shared: &Shared,
    tables: BTreeMap<String, TableData>,
    meter: &Arc<Meter>,
    wanted: &Arc<OnceLock<Wanted>>,
    cancel: &Cancel,
    unnests: bool,
) -> Result<SessionContext, SqlError> {
    let internal = |error: datafusion::error::DataFusionError| SqlError::Internal(error.strip_backtrace());
    let stores = Arc::new(DefaultObjectStoreRegistry::new());
    let runtime = RuntimeEnv {
        object_store_registry: Arc::clone(&stores) as Arc<dyn ObjectStoreRegistry>,
        ..RuntimeEnv::clone(&shared.runtime)
    };
    let scans = Arc::new(Scans::default());
    let state = SessionStateBuilder::new()
        .with_config(config(shared.partitions, unnests))
        .with_runtime_env(Arc::new(runtime))
        .with_default_features()
        .with_relation_planners(vec![Arc::new(UnnestPlanner)])
        .with_physical_optimizer_rule(Arc::new(ByCodes(Arc::clone(&scans))))
        .with_physical_optimizer_rule(Arc::new(GiveWay(cancel.clone())))
        .build();
    let session = SessionContext::new_with_state(state);
    functions::register(&session);
    for name in UNBOUNDED {
        session.deregister_udf(name);
    }
    for (number, (name, data)) in tables.into_iter().enumerate() {
        let url = ObjectStoreUrl::parse(format!("table://t{number}/")).map_err(internal)?;
        stores.register_store(url.as_ref(), Arc::clone(&data.store));
        let footers = Arc::clone(&shared.footers);
        let (meter, wanted, scans) = (Arc::clone(meter), Arc::clone(wanted), Arc::clone(&scans));
        let table = Table::new(name.to_lowercase(), data, url, footers, meter, wanted, scans);
        let reference = TableReference::bare(name.to_lowercase());
        session.register_table(reference, Arc::new(table)).map_err(internal)?;
    }
    Ok(session)
}

fn is_unnest(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::UNNEST)
}

fn config(partitions: usize, unnests: bool) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    "nulls_last".clone_into(&mut options.sql_parser.default_null_ordering);
    // It forgets NULL among the values that it keeps.
    options.optimizer.enable_topk_aggregation = false;
    // DataFusion moves the access to a field below the unnesting that makes the row which has it.
    options.optimizer.enable_leaf_expression_pushdown = !unnests;
    options.execution.sort_spill_reservation_bytes = SORT_RESERVATION;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.bloom_filter_on_read = true;
    options.execution.parquet.enable_page_index = true;
    config
}
