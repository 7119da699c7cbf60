# SPDX-License-Identifier: Apache-2.0
# From sources to a bitstream, with what must hold on the way. Exit status: 31 clock, 32 timing,
# 33 size; 1 an error of Vivado's own.

proc say {what} {
  puts "HWBNN-STEP $what"
  flush stdout
}

proc refuse {status what} {
  puts "HWBNN-ERROR $what"
  flush stdout
  exit $status
}

# What is a warning to Vivado and makes a bitstream that does not work.
proc raise_messages {} {
  global threads
  set_param general.maxThreads $threads
  set_msg_config -id {[Synth 8-4445]} -new_severity ERROR  ;# a memory's file cannot be read
}

proc cells {pattern} {
  return [llength [get_cells -quiet -hierarchical -filter "IS_PRIMITIVE == 1 && ($pattern)"]]
}

proc core_cells {pattern} {
  return [cells "NAME =~ */core/* && ($pattern)"]
}

proc run_synthesis {top} {
  global part
  say "synthesis"
  synth_design -top $top -part $part -flatten_hierarchy rebuilt
  check_clock
  check_size
  report_utilization -hierarchical -file out/synthesised_utilisation.rpt
  write_checkpoint -force out/synthesised.dcp
}

proc check_clock {} {
  global period_ns
  set clocks [get_clocks -quiet]
  if {[llength $clocks] == 0} {
    refuse 31 "clock: the processing system must give one, and Vivado sees none"
  }
  foreach clock $clocks {
    set period [get_property PERIOD $clock]
    if {abs($period - $period_ns) > 0.002 * $period_ns} {
      refuse 31 "clock: the period of $clock must be $period_ns ns, not $period"
    }
  }
  set checks {no_clock unconstrained_internal_endpoints}
  set said [check_timing -return_string -override_defaults $checks]
  foreach {_ what count} [regexp -all -inline {checking (\w+) \((\d+)\)} $said] {
    if {$what in $checks && $count > 0} {
      refuse 31 "clock: all registers must be constrained, and $what finds $count that are not"
    }
  }
}

proc check_size {} {
  global floor_lut floor_ff floor_bram ps_cell
  if {[cells "REF_NAME == $ps_cell"] != 1} {
    refuse 33 "size: the netlist must hold one $ps_cell, not [cells "REF_NAME == $ps_cell"]"
  }
  set luts {REF_NAME =~ LUT* || REF_NAME =~ SRL* || REF_NAME =~ RAM32* || REF_NAME =~ RAM64*}
  set blocks [expr {[core_cells {REF_NAME =~ RAMB36*}] + 0.5 * [core_cells {REF_NAME =~ RAMB18*}]}]
  set found [list LUT [core_cells $luts] FF [core_cells {REF_NAME =~ FD*}] BRAM $blocks]
  foreach {what count} $found least [list $floor_lut $floor_ff $floor_bram] {
    if {$count < $least} {
      refuse 33 "size: the core must have at least $least $what, not $count"
    }
  }
}

proc slack {delay} {
  set paths [get_timing_paths -quiet -delay_type $delay -max_paths 1]
  if {[llength $paths] == 0} {
    return null
  }
  return [get_property SLACK [lindex $paths 0]]
}

proc run_implementation {} {
  say "optimisation"
  opt_design
  say "placement"
  place_design
  phys_opt_design
  say "routing"
  route_design
  if {[slack max] < 0} {
    say "repair of timing"
    phys_opt_design
  }
  say "reports"
  write_checkpoint -force out/routed.dcp
  report_utilization -file out/utilisation.rpt
  report_utilization -hierarchical -file out/utilisation_by_instance.rpt
  report_utilization -format xml -file out/utilisation.xml
  report_timing_summary -max_paths 10 -file out/timing.rpt
  report_route_status -file out/route_status.rpt
  report_drc -file out/drc.rpt
  report_methodology -file out/methodology.rpt
  report_power -file out/power.rpt
  set wns [slack max]
  set whs [slack min]
  puts "HWBNN-JSON {\"wns_ns\": $wns, \"whs_ns\": $whs}"
  if {$wns eq "null"} {
    refuse 31 "clock: there must be timing paths, and Vivado sees none"
  }
  if {$wns < 0 || $whs < 0} {
    refuse 32 "timing: slack must be at least 0 ns, not $wns (setup) and $whs (hold)"
  }
}

proc run_bitstream {file} {
  say "bitstream"
  write_bitstream -force $file
  say "done"
}
