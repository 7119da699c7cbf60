# SPDX-License-Identifier: Apache-2.0
# What run_hls.tcl does when it gets no arguments, in order: csim, csynth, cosim, export.
set steps {csim csynth export}
