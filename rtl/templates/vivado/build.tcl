# SPDX-License-Identifier: Apache-2.0
# Builds <design>.bit with Vivado, without a project or a block design:
#   vivado -mode batch -nojournal -notrace -log vivado.log -source build.tcl
set root [file dirname [file normalize [info script]]]
cd $root
source settings.tcl
source flow.tcl
file mkdir out

# An IP is synthesised with the top, not apart from it: its cells and clocks are seen at once.
proc make_ip {vendor library name module} {
  file mkdir out/ip
  create_ip -vendor $vendor -library $library -name $name -module_name $module -dir out/ip
}

proc finish_ip {module} {
  set_property generate_synth_checkpoint false [get_files $module.xci]
  generate_target all [get_ips $module]
}

say "sources"
raise_messages
create_project -in_memory -part $part
read_verilog -sv $sources
foreach memory $memories {
  # Vivado also looks for them in this folder, where it runs; one that it cannot read is an error.
  catch {read_mem $memory}
}
read_xdc chip.xdc

if {!$ps_is_primitive} {
  say "processing system"
  make_ip xilinx.com ip $ps_ip zynqmp_ps
  set_property -dict $ps_config [get_ips zynqmp_ps]
  finish_ip zynqmp_ps
}
if {$hls_ip ne ""} {
  say "HLS core"
  if {![file isdirectory $hls_ip]} {
    refuse 1 "HLS core: $hls_ip must exist; run run_hls.tcl with the steps csynth and export first"
  }
  set_property ip_repo_paths [file normalize $hls_ip] [current_project]
  update_ip_catalog
  make_ip hwbnn hls $design ${design}_hls
  finish_ip ${design}_hls
}

run_synthesis chip
run_implementation
run_bitstream $design.bit
exit 0
