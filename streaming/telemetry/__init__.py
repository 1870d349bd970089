"""What is measured, and how it is shown: metrics, report, console."""
