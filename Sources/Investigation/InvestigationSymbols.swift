// SPDX-License-Identifier: Apache-2.0

/// The symbols that investigations look for beyond those of the state's readers.
public enum InvestigationSymbols {
  public static let all: Set<String> = [
    "vmemmap_base", "_stext", "_etext", "_end", "global_trace", "ftrace_events", "log_buf",
    "log_buf_len", "log_first_idx", "log_next_idx",
  ]
}
