// SPDX-License-Identifier: Apache-2.0
// The wires between a Zynq's processing system and its chip
// (rtl/shell/models/processing_system.sv, memory_port.sv).
#pragma once

#include <cstring>

#include "Vchip.h"
#include "Vchip___024root.h"
#include "axi.hpp"
#include "family.hpp"  // zynq7000.hpp or zynqmp.hpp

#define PS(port) (root_.PROCESSING_SYSTEM(model, port))
#define READ_PORT(cell, port) (root_.PROCESSING_SYSTEM(cell, port))


class Processor {
 public:
  explicit Processor(Vchip& chip) : root_(*chip.rootp) {
    PS(clk_o) = PS(rst_no) = 0;
    drive(FromMaster(), FromSlave());
    for (unsigned i = 0; i < family::kReadPorts; i++) drive_read(i, FromSlave());
  }

  void set_clock(bool level) { PS(clk_o) = level; }
  void set_reset(bool on) { PS(rst_no) = !on; }
  bool interrupt() const { return PS(irq_i); }
  bool clocks_are(bool level) const { return PS(gp_clk_i) == level && PS(hp_clk_i) == level; }

  // Ports that only read, numbered from 0 to family::kReadPorts - 1.
  bool asks(unsigned number) const {
#define WIRE(index, cell) number == index ? READ_PORT(cell, arvalid_i) != 0:
    return EACH_READ_PORT(WIRE) false;
#undef WIRE
  }

  bool clock_of(unsigned number) const {
#define WIRE(index, cell) number == index ? READ_PORT(cell, clk_i) != 0:
    return EACH_READ_PORT(WIRE) false;
#undef WIRE
  }

  FromMaster read_wires(unsigned number) const {
    FromMaster in;
#define WIRES(index, cell)                                                 \
  if (number == index) {                                                   \
    in.read = {READ_PORT(cell, arvalid_i) != 0, READ_PORT(cell, araddr_i), \
               READ_PORT(cell, arid_i),         READ_PORT(cell, arlen_i),  \
               READ_PORT(cell, arsize_i),       READ_PORT(cell, arburst_i)}; \
    in.read_ready = READ_PORT(cell, rready_i);                             \
  }
    EACH_READ_PORT(WIRES)
#undef WIRES
    return in;
  }

  void drive_read(unsigned number, const FromSlave& memory) {
#define WIRES(index, cell)                                                        \
  if (number == index) {                                                          \
    READ_PORT(cell, arready_o) = memory.address_read_ready;                       \
    READ_PORT(cell, rvalid_o) = memory.beat.valid;                                \
    READ_PORT(cell, rlast_o) = memory.beat.last;                                  \
    READ_PORT(cell, rresp_o) = memory.beat.response;                              \
    std::memcpy(&READ_PORT(cell, rdata_o), memory.beat.data, family::kWordBytes); \
  }
    EACH_READ_PORT(WIRES)
#undef WIRES
  }

  FromMaster memory_wires() const {
    FromMaster in;
    in.read = {PS(hp_arvalid_i) != 0, PS(hp_araddr_i),  PS(hp_arid_i),
               PS(hp_arlen_i),        PS(hp_arsize_i), PS(hp_arburst_i)};
    in.write = {PS(hp_awvalid_i) != 0, PS(hp_awaddr_i),  PS(hp_awid_i),
                PS(hp_awlen_i),        PS(hp_awsize_i), PS(hp_awburst_i)};
    in.beat.valid = PS(hp_wvalid_i);
    in.beat.last = PS(hp_wlast_i);
    in.beat.id = PS(hp_wid_i);
    in.beat.strobe = PS(hp_wstrb_i);
    std::memcpy(in.beat.data, &PS(hp_wdata_i), family::kWordBytes);
    in.read_ready = PS(hp_rready_i);
    in.response_ready = PS(hp_bready_i);
    return in;
  }

  FromSlave register_wires() const {
    FromSlave in;
    in.address_read_ready = PS(gp_arready_i);
    in.address_write_ready = PS(gp_awready_i);
    in.write_ready = PS(gp_wready_i);
    in.beat.valid = PS(gp_rvalid_i);
    in.beat.last = PS(gp_rlast_i);
    in.beat.id = PS(gp_rid_i);
    in.beat.response = PS(gp_rresp_i);
    std::memcpy(in.beat.data, &PS(gp_rdata_i), sizeof(uint32_t));
    in.response = {PS(gp_bvalid_i) != 0, PS(gp_bid_i), PS(gp_bresp_i)};
    return in;
  }

  void drive(const FromMaster& registers, const FromSlave& memory) {
    PS(gp_arvalid_o) = registers.read.valid;
    PS(gp_araddr_o) = registers.read.address;
    PS(gp_arid_o) = registers.read.id;
    PS(gp_awvalid_o) = registers.write.valid;
    PS(gp_awaddr_o) = registers.write.address;
    PS(gp_awid_o) = registers.write.id;
    PS(gp_wvalid_o) = registers.beat.valid;
    std::memcpy(&PS(gp_wdata_o), registers.beat.data, sizeof(uint32_t));
    PS(gp_rready_o) = registers.read_ready;
    PS(gp_bready_o) = registers.response_ready;
    PS(hp_arready_o) = memory.address_read_ready;
    PS(hp_awready_o) = memory.address_write_ready;
    PS(hp_wready_o) = memory.write_ready;
    PS(hp_rvalid_o) = memory.beat.valid;
    PS(hp_rlast_o) = memory.beat.last;
    PS(hp_rresp_o) = memory.beat.response;
    std::memcpy(&PS(hp_rdata_o), memory.beat.data, family::kWordBytes);
    PS(hp_bvalid_o) = memory.response.valid;
    PS(hp_bresp_o) = memory.response.response;
  }

 private:
  Vchip___024root& root_;
};

#undef PS
#undef READ_PORT
