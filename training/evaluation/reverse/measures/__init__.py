"""What the reverse loop's scores are computed by: functions of arrays, without engines or files."""
