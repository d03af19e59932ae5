"""The engine: functions from tables to tables, as Ibis expressions that nothing here executes."""
