"""Files in and out: CSV and NDJSON of people and events, read in slices that survive anything, written as a stream."""
