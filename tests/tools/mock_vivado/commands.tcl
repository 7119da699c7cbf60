# SPDX-License-Identifier: Apache-2.0
# Stand-in for Vivado in batch mode: tclsh commands.tcl SCENARIO [options of vivado]. Every command
# that the scripts may use prints itself, refuses an option that Vivado has not (UG835, UG994), and
# answers what the scenario says.

set fixtures [file dirname [file normalize [info script]]]
set version 2022.2
set parts {xc7z020clg400-1 xczu7ev-ffvc1156-2-e}
set clocks {clk_fpga_0}
set period 10.000
set slack_max 0.521
set slack_min 0.057
set unclocked 0
set cell_count 100000
set processor_count 1
set fails {}  ;# command -> lines that it prints before it fails
set starts {}  ;# script that runs before anything else: a licence, a crash, a hang

# ---- commands and their options ----------------------------------------------------------------

set options {
  set_param {} set_msg_config {-id -new_severity} create_project {-in_memory -part -force}
  read_verilog {-sv} read_mem {} read_xdc {} synth_design {-top -part -flatten_hierarchy}
  create_ip {-vendor -library -name -module_name -dir} get_ips {} generate_target {}
  set_property {-dict} update_ip_catalog {} current_project {} version {-short} get_clocks {-quiet}
  get_cells {-quiet -hierarchical -filter} get_property {} get_parts {-quiet}
  check_timing {-return_string -override_defaults}
  get_timing_paths {-quiet -delay_type -max_paths}
  write_checkpoint {-force} write_bitstream {-force} opt_design {} place_design {} phys_opt_design {}
  route_design {} report_utilization {-file -hierarchical -format}
  report_timing_summary {-file -max_paths} report_route_status {-file} report_drc {-file}
  report_methodology {-file} report_power {-file}
  add_files {-norecurse} get_files {} update_compile_order {-fileset} create_bd_design {}
  create_bd_cell {-type -vlnv -reference} get_bd_pins {} get_bd_intf_pins {} connect_bd_net {}
  connect_bd_intf_net {} make_bd_intf_pins_external {} validate_bd_design {} save_bd_design {}
  assign_bd_address {-target_address_space -offset -range} get_bd_addr_spaces {}
  get_bd_addr_segs {} make_wrapper {-files -top -import}
}

proc called {command arguments} {
  global options fails
  foreach word $arguments {
    if {[regexp {^-[a-z]} $word] && $word ni [dict get $options $command]} {
      error "\[Common 17-170\] Unknown option '$word' of $command"
    }
  }
  puts "CALL $command $arguments"
  if {[dict exists $fails $command]} {
    foreach line [dict get $fails $command] {
      puts $line
    }
    error "$command failed"
  }
  if {[info procs answer_$command] ne ""} {
    return [answer_$command {*}$arguments]
  }
  return [lindex $arguments end]
}

foreach command [dict keys $options] {
  proc $command {args} "called $command \$args"
}

proc after_option {option arguments} {
  return [lindex $arguments [expr {[lsearch -exact $arguments $option] + 1}]]
}

proc write_file {name text} {
  set file [open $name w]
  puts $file $text
  close $file
}

# ---- answers -----------------------------------------------------------------------------------

proc answer_version {args} { return $::version }
proc answer_get_parts {args} { return [lsearch -all -inline -exact $::parts [lindex $args end]] }
proc answer_get_clocks {args} { return $::clocks }
proc answer_get_timing_paths {args} {
  set delay [after_option -delay_type $args]
  return [expr {[set ::slack_$delay] eq "none" ? {} : $delay}]
}
proc answer_get_property {name object} {
  return [expr {$name eq "PERIOD" ? $::period : [set ::slack_$object]}]
}
proc answer_get_cells {args} {
  set processor [string match "*REF_NAME == PS*" [after_option -filter $args]]
  return [lrepeat [expr {$processor ? $::processor_count : $::cell_count}] cell]
}
proc answer_check_timing {args} {
  return "1. checking no_clock ($::unclocked)\n4. checking unconstrained_internal_endpoints (0)"
}
proc answer_write_bitstream {args} { write_file [lindex $args end] "a bitstream" }
proc answer_report_utilization {args} {
  if {"-hierarchical" in $args || "-format" in $args} {
    write_file [after_option -file $args] "a report"
  } else {
    file copy -force $::fixtures/utilisation_2022_2.rpt [after_option -file $args]
  }
}
proc answer_report_timing_summary {args} {
  set file [open $::fixtures/timing_2022_2.rpt]
  set text [string map [list 0.521 $::slack_max 0.057 $::slack_min] [read $file]]
  close $file
  write_file [after_option -file $args] $text
}
proc answer_validate_bd_design {args} {
  # What generate_target leaves, from 2020.2 on.
  file mkdir out/overlay/overlay.gen/sources_1/bd/overlay/hw_handoff
  write_file out/overlay/overlay.gen/sources_1/bd/overlay/hw_handoff/overlay.hwh "<hwh/>"
}

# ---- vivado itself -----------------------------------------------------------------------------

source [lindex $argv 0]  ;# may give other values, and other answers

puts "\n****** Vivado v$version (64-bit)"
flush stdout
eval $starts
set words [lrange $argv 1 end]
if {"-log" in $words} {
  write_file [after_option -log $words] "# Vivado v$version (64-bit)"
}
if {[after_option -mode $words] ne "batch"} {
  puts "ERROR: \[Common 17-170\] only batch mode here"
  exit 1
}
if {[catch {source [after_option -source $words]} message]} {
  if {![regexp { failed$} $message]} {
    puts "ERROR: $message"
  }
  puts "INFO: \[Common 17-206\] Exiting Vivado"
  exit 1
}
