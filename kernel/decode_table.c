// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcode maps of 64-bit mode. A cell names a form; the cells that the Intel
 * and AMD manuals leave empty or mark invalid in 64-bit mode are XX, and so are
 * those of prefixes and escapes, which never come here. Where the two manuals
 * differ, all that either has is valid, but for AMD's XOP; the operand-size prefix
 * of near branches is ignored, as Intel does.
 *
 * Most of 0F38 and 0F3A differs by prefix and extension in what it does, not in
 * what follows, so that empty cells there are decoded as future ones will be.
 */

#include "decode_alu.h"
#include "decode_table.h"

/*
 * Named as in the manuals' opcode maps: E is a ModRM operand, G the register it
 * names beside, I an immediate, O an offset; b, w and z the operand's size. L
 * is one that may be locked, as are those whose names begin with M, U, X or BS.
 */
enum form {
	XX,	/* invalid */
	NO,	/* nothing follows */
	E_, EL, EM, EX, EV,
	EIB, EII, RIB, RIZ,
	GV, GIB, GIZ,
	IB, IW, ID, IZ, IV, I3,
	LB, LV, SB, SV, SIB, SIZ, OLB, OLV, OSB, OSV,
	ZXB, ZXW, SXB, SXW, SXD,
	MSB, MSV, STB, STV, LDB, LDV,
	NTI, BEL, BES, DIR,
	MEB, MEV, MIB, MIZ, MIS, CEB, CEV, CIB, CIZ, CIS, AGB, AGV,
	TEB, TEV, TIB, TIZ, XGB, XGV, XAB, XAV, XCB, XCV, UEB, UEV,
	BTV, BSV, BTI, BSI,
	VL4, VL8, VLX, VLM, VLW, VS4, VS8, VSX, VSM, VSW,
	/* by prefix */
	P10, P11, P28, P29, P2A, P2B, P6E, P6F, P78, P7E, P7F, PC3, PD6, PE7, PF0, PF1, PF9, PFD,
	/* by ModRM.reg: the opcode groups */
	G1B, G1Z, G1S, G1A, G3B, G3Z, G4, G5, G8, G9, GCB, GCZ, GSS, GSL,
};

#define BYTES_1			{ 1, 1, 1 }
#define BYTES_2			{ 2, 2, 2 }
#define BYTES_3			{ 3, 3, 3 }
#define BYTES_4			{ 4, 4, 4 }
#define OPERAND_SIZE		{ 2, 4, 4 }
#define FULL_OPERAND_SIZE	{ 2, 4, 8 }

#define LOAD			.operation = BARKEEP_OP_LOAD
#define STORE			.operation = BARKEEP_OP_STORE
#define ALU(name)		.operation = BARKEEP_OP_MODIFY, .alu = BARKEEP_ALU_##name
#define VECTOR(more, which, ...) { .flags = FORM_MODRM | FORM_VECTOR | (more), \
				   .operation = BARKEEP_OP_VECTOR_##which, __VA_ARGS__ }
#define MODRM(more, ...)	{ .flags = FORM_MODRM | (more), __VA_ARGS__ }
#define BY_PREFIX(...)		{ .flags = FORM_MODRM, .by_prefix = (const u8[]){ __VA_ARGS__ } }
#define BY_REG(...)		{ .flags = FORM_MODRM, .by_reg = (const u8[]){ __VA_ARGS__ } }

static const struct barkeep_form forms[] = {
	[NO] = { .flags = 0 },
	[E_] = MODRM(0),
	[EL] = MODRM(FORM_LOCK),
	[EM] = MODRM(FORM_MEMORY_ONLY),
	[EX] = MODRM(FORM_MODRM_IS_REGISTER),
	[EV] = MODRM(FORM_VECTOR_ONLY),
	[EIB] = MODRM(0, .immediate = BYTES_1),
	[EII] = MODRM(FORM_REGISTER_ONLY, .immediate = BYTES_2),
	[RIB] = MODRM(FORM_REGISTER_ONLY, .immediate = BYTES_1),
	[RIZ] = MODRM(FORM_REGISTER_ONLY, .immediate = OPERAND_SIZE),
	[GV] = MODRM(FORM_DESTINATION),
	[GIB] = MODRM(FORM_DESTINATION, .immediate = BYTES_1),
	[GIZ] = MODRM(FORM_DESTINATION, .immediate = OPERAND_SIZE),
	[IB] = { .immediate = BYTES_1 },
	[IW] = { .immediate = BYTES_2 },
	[ID] = { .immediate = BYTES_4 },
	[IZ] = { .immediate = OPERAND_SIZE },
	[IV] = { .immediate = FULL_OPERAND_SIZE },
	[I3] = { .immediate = BYTES_3 },

	/* MOV */
	[LB] = MODRM(0, LOAD, .width = 1),
	[LV] = MODRM(0, LOAD),
	[SB] = MODRM(0, STORE, .width = 1),
	[SV] = MODRM(0, STORE),
	[SIB] = MODRM(FORM_IMMEDIATE, STORE, .width = 1, .immediate = BYTES_1),
	[SIZ] = MODRM(FORM_IMMEDIATE, STORE, .immediate = OPERAND_SIZE),
	[OLB] = { .flags = FORM_OFFSET | FORM_ACCUMULATOR, LOAD, .width = 1 },
	[OLV] = { .flags = FORM_OFFSET | FORM_ACCUMULATOR, LOAD },
	[OSB] = { .flags = FORM_OFFSET | FORM_ACCUMULATOR, STORE, .width = 1 },
	[OSV] = { .flags = FORM_OFFSET | FORM_ACCUMULATOR, STORE },
	/* MOVZX, MOVSX, MOVSXD */
	[ZXB] = MODRM(FORM_EXTEND, LOAD, .width = 1),
	[ZXW] = MODRM(FORM_EXTEND, LOAD, .width = 2),
	[SXB] = MODRM(FORM_EXTEND | FORM_SIGN, LOAD, .width = 1),
	[SXW] = MODRM(FORM_EXTEND | FORM_SIGN, LOAD, .width = 2),
	[SXD] = MODRM(FORM_EXTEND | FORM_SIGN, LOAD, .width = 4),
	/* MOVS, STOS; LODS */
	[MSB] = { .operation = BARKEEP_OP_MOVS, .width = 1 },
	[MSV] = { .operation = BARKEEP_OP_MOVS },
	[STB] = { .flags = FORM_ACCUMULATOR, .operation = BARKEEP_OP_STOS, .width = 1 },
	[STV] = { .flags = FORM_ACCUMULATOR, .operation = BARKEEP_OP_STOS },
	[LDB] = { .flags = FORM_ACCUMULATOR | FORM_DESTINATION, .width = 1 },
	[LDV] = { .flags = FORM_ACCUMULATOR | FORM_DESTINATION },
	/* MOVNTI, MOVBE, MOVDIRI */
	[NTI] = MODRM(FORM_MEMORY_ONLY, STORE),
	[BEL] = MODRM(FORM_MEMORY_ONLY | FORM_SWAP, LOAD),
	[BES] = MODRM(FORM_MEMORY_ONLY | FORM_SWAP, STORE),
	[DIR] = MODRM(FORM_MEMORY_ONLY, STORE),

	/* ADD, OR, ADC, SBB, AND, SUB, XOR; CMP cannot be locked */
	[MEB] = MODRM(FORM_LOCK | FORM_ALU_OPCODE, ALU(ADD), .width = 1),
	[MEV] = MODRM(FORM_LOCK | FORM_ALU_OPCODE, ALU(ADD)),
	[MIB] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(ADD), .width = 1,
		      .immediate = BYTES_1),
	[MIZ] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(ADD),
		      .immediate = OPERAND_SIZE),
	[MIS] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(ADD), .immediate = BYTES_1),
	[CEB] = MODRM(0, ALU(CMP), .width = 1),
	[CEV] = MODRM(0, ALU(CMP)),
	[CIB] = MODRM(FORM_IMMEDIATE, ALU(CMP), .width = 1, .immediate = BYTES_1),
	[CIZ] = MODRM(FORM_IMMEDIATE, ALU(CMP), .immediate = OPERAND_SIZE),
	[CIS] = MODRM(FORM_IMMEDIATE, ALU(CMP), .immediate = BYTES_1),
	[AGB] = MODRM(FORM_TO_REGISTER | FORM_ALU_OPCODE, ALU(ADD), .width = 1),
	[AGV] = MODRM(FORM_TO_REGISTER | FORM_ALU_OPCODE, ALU(ADD)),
	/* TEST, XCHG, XADD, CMPXCHG; INC, DEC, NOT, NEG */
	[TEB] = MODRM(0, ALU(TEST), .width = 1),
	[TEV] = MODRM(0, ALU(TEST)),
	[TIB] = MODRM(FORM_IMMEDIATE, ALU(TEST), .width = 1, .immediate = BYTES_1),
	[TIZ] = MODRM(FORM_IMMEDIATE, ALU(TEST), .immediate = OPERAND_SIZE),
	[XGB] = MODRM(FORM_LOCK, ALU(XCHG), .width = 1),
	[XGV] = MODRM(FORM_LOCK, ALU(XCHG)),
	[XAB] = MODRM(FORM_LOCK, ALU(XADD), .width = 1),
	[XAV] = MODRM(FORM_LOCK, ALU(XADD)),
	[XCB] = MODRM(FORM_LOCK, ALU(CMPXCHG), .width = 1),
	[XCV] = MODRM(FORM_LOCK, ALU(CMPXCHG)),
	[UEB] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(INC), .width = 1),
	[UEV] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(INC)),
	/* BT; BTS, BTR, BTC */
	[BTV] = MODRM(FORM_BIT_STRING, ALU(BT)),
	[BSV] = MODRM(FORM_LOCK | FORM_BIT_STRING | FORM_ALU_OPCODE, ALU(TEST)),
	[BTI] = MODRM(FORM_IMMEDIATE, ALU(BT), .immediate = BYTES_1),
	[BSI] = MODRM(FORM_LOCK | FORM_ALU_REG | FORM_IMMEDIATE, ALU(TEST), .immediate = BYTES_1),
	/* SSE moves of 4, 8 and 16 bytes; of a register to memory only; of REX.W's width */
	[VL4] = VECTOR(0, LOAD, .width = 4),
	[VL8] = VECTOR(0, LOAD, .width = 8),
	[VLX] = VECTOR(0, LOAD, .width = 16),
	[VLM] = VECTOR(FORM_MEMORY_ONLY, LOAD, .width = 16),
	[VLW] = VECTOR(0, LOAD),
	[VS4] = VECTOR(0, STORE, .width = 4),
	[VS8] = VECTOR(0, STORE, .width = 8),
	[VSX] = VECTOR(0, STORE, .width = 16),
	[VSM] = VECTOR(FORM_MEMORY_ONLY, STORE, .width = 16),
	[VSW] = VECTOR(0, STORE),

	/* MOVUPS, MOVUPD, MOVSS, MOVSD */
	[P10] = BY_PREFIX(VLX, VLX, VL4, VL8),
	[P11] = BY_PREFIX(VSX, VSX, VS4, VS8),
	/* MOVAPS, MOVAPD; MOVNTDQA; MOVNTPS, MOVNTPD, or SSE4a's */
	[P28] = BY_PREFIX(VLX, VLX, E_, E_),
	[P29] = BY_PREFIX(VSX, VSX, E_, E_),
	[P2A] = BY_PREFIX(E_, VLM, E_, E_),
	[P2B] = BY_PREFIX(VSM, VSM, E_, E_),
	/* MMX, or MOVD, MOVQ, MOVDQA, MOVDQU; MOVNTDQ; LDDQU */
	[P6E] = BY_PREFIX(E_, VLW, E_, E_),
	[P6F] = BY_PREFIX(E_, VLX, VLX, E_),
	[P7E] = BY_PREFIX(E_, VSW, VL8, E_),
	[P7F] = BY_PREFIX(E_, VSX, VSX, E_),
	[PD6] = BY_PREFIX(E_, VS8, E_, E_),
	[PE7] = BY_PREFIX(E_, VSM, E_, E_),
	[PFD] = BY_PREFIX(E_, E_, E_, VLM),
	/* VMREAD, or SSE4a's EXTRQ and INSERTQ with two immediates */
	[P78] = BY_PREFIX(E_, EII, XX, EII),
	[PC3] = BY_PREFIX(NTI, XX, XX, XX),
	/* MOVBE, or CRC32 */
	[PF0] = BY_PREFIX(BEL, BEL, XX, E_),
	[PF1] = BY_PREFIX(BES, BES, XX, E_),
	[PF9] = BY_PREFIX(DIR, XX, XX, XX),

	/* Groups 1 and 1A, then 3, 4, 5, 8, 9, 11 and the segment registers */
	[G1B] = BY_REG(MIB, MIB, MIB, MIB, MIB, MIB, MIB, CIB),
	[G1Z] = BY_REG(MIZ, MIZ, MIZ, MIZ, MIZ, MIZ, MIZ, CIZ),
	[G1S] = BY_REG(MIS, MIS, MIS, MIS, MIS, MIS, MIS, CIS),
	[G1A] = BY_REG(E_, XX, XX, XX, XX, XX, XX, XX),
	[G3B] = BY_REG(TIB, TIB, UEB, UEB, E_, E_, E_, E_),
	[G3Z] = BY_REG(TIZ, TIZ, UEV, UEV, E_, E_, E_, E_),
	[G4] = BY_REG(UEB, UEB, XX, XX, XX, XX, XX, XX),
	[G5] = BY_REG(UEV, UEV, E_, EM, E_, EM, E_, XX),
	[G8] = BY_REG(XX, XX, XX, XX, BTI, BSI, BSI, BSI),
	[G9] = BY_REG(XX, EL, XX, EM, EM, EM, E_, E_),
	[GCB] = BY_REG(SIB, XX, XX, XX, XX, XX, XX, RIB),
	[GCZ] = BY_REG(SIZ, XX, XX, XX, XX, XX, XX, RIZ),
	[GSS] = BY_REG(E_, E_, E_, E_, E_, E_, XX, XX),
	[GSL] = BY_REG(E_, XX, E_, E_, E_, E_, XX, XX),
};

static const u8 one_byte[256] = {
/* 00 */ MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,  MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,
/* 10 */ MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,  MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,
/* 20 */ MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,  MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,
/* 30 */ MEB, MEV, AGB, AGV, IB,  IZ,  XX,  XX,  CEB, CEV, AGB, AGV, IB,  IZ,  XX,  XX,
/* 40 */ XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,
/* 50 */ NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,
/* 60 */ XX,  XX,  XX,  SXD, XX,  XX,  XX,  XX,  IZ,  GIZ, IB,  GIB, NO,  NO,  NO,  NO,
/* 70 */ IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,
/* 80 */ G1B, G1Z, XX,  G1S, TEB, TEV, XGB, XGV, SB,  SV,  LB,  LV,  GSS, EM,  GSL, G1A,
/* 90 */ NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  XX,  NO,  NO,  NO,  NO,  NO,
/* a0 */ OLB, OLV, OSB, OSV, MSB, MSV, NO,  NO,  IB,  IZ,  STB, STV, LDB, LDV, NO,  NO,
/* b0 */ IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  IV,  IV,  IV,  IV,  IV,  IV,  IV,  IV,
/* c0 */ EIB, EIB, IW,  NO,  XX,  XX,  GCB, GCZ, I3,  NO,  IW,  NO,  NO,  IB,  XX,  NO,
/* d0 */ E_,  E_,  E_,  E_,  XX,  XX,  XX,  NO,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* e0 */ IB,  IB,  IB,  IB,  IB,  IB,  IB,  IB,  ID,  ID,  XX,  IB,  NO,  NO,  NO,  NO,
/* f0 */ XX,  NO,  XX,  XX,  NO,  NO,  G3B, G3Z, NO,  NO,  NO,  NO,  NO,  NO,  G4,  G5,
};

static const u8 map_0f[256] = {
/* 00 */ E_,  E_,  E_,  E_,  XX,  NO,  NO,  NO,  NO,  NO,  XX,  NO,  XX,  E_,  NO,  EIB,
/* 10 */ P10, P11, E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* 20 */ EX,  EX,  EX,  EX,  XX,  XX,  XX,  XX,  P28, P29, E_,  P2B, E_,  E_,  E_,  E_,
/* 30 */ NO,  NO,  NO,  NO,  NO,  NO,  XX,  NO,  XX,  XX,  XX,  XX,  XX,  XX,  XX,  XX,
/* 40 */ GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,  GV,
/* 50 */ E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* 60 */ E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  P6E, P6F,
/* 70 */ EIB, EIB, EIB, EIB, E_,  E_,  E_,  NO,  P78, E_,  EV,  EV,  E_,  E_,  P7E, P7F,
/* 80 */ ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,  ID,
/* 90 */ E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* a0 */ NO,  NO,  NO,  BTV, EIB, E_,  E_,  E_,  NO,  NO,  NO,  BSV, EIB, E_,  E_,  GV,
/* b0 */ XCB, XCV, EM,  BSV, EM,  EM,  ZXB, ZXW, GV,  E_,  G8,  BSV, GV,  GV,  SXB, SXW,
/* c0 */ XAB, XAV, EIB, PC3, EIB, EIB, EIB, G9,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,
/* d0 */ E_,  E_,  E_,  E_,  E_,  E_,  PD6, E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* e0 */ E_,  E_,  E_,  E_,  E_,  E_,  E_,  PE7, E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
/* f0 */ PFD, E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,  E_,
};

static const u8 map_0f38[256] = {
	[0x00 ... 0x29] = E_,
	[0x2a] = P2A,
	[0x2b ... 0xef] = E_,
	[0xf0] = PF0,
	[0xf1] = PF1,
	[0xf2 ... 0xf8] = E_,
	[0xf9] = PF9,
	[0xfa ... 0xff] = E_,
};

static const u8 map_0f3a[256] = {
	[0x00 ... 0xff] = EIB,
};

static const u8 *const maps[] = {
	[BARKEEP_MAP_ONE_BYTE] = one_byte,
	[BARKEEP_MAP_0F] = map_0f,
	[BARKEEP_MAP_0F38] = map_0f38,
	[BARKEEP_MAP_0F3A] = map_0f3a,
};

static const struct barkeep_form *form_of(u8 cell)
{
	return cell == XX ? NULL : &forms[cell];
}

/**
 * barkeep_form() - look up an opcode that has neither VEX nor EVEX prefix
 * @map: enum barkeep_opcode_map, up to BARKEEP_MAP_0F3A
 * @opcode: the opcode
 * @prefix: enum barkeep_mandatory_prefix
 *
 * NULL if it is invalid.
 */
const struct barkeep_form *barkeep_form(unsigned int map, u8 opcode, unsigned int prefix)
{
	const struct barkeep_form *form = form_of(maps[map][opcode]);

	if (form && form->by_prefix)
		form = form_of(form->by_prefix[prefix]);
	return form && form->flags & FORM_VECTOR_ONLY ? NULL : form;
}

/**
 * barkeep_form_vector() - look up an opcode that has a VEX or EVEX prefix
 * @map: as the prefix gives it
 * @opcode: the opcode
 *
 * Tells the length only: these have a ModRM byte, but for VZEROUPPER and VZEROALL,
 * and an 8-bit immediate where the opcode has one without the prefix. NULL if it
 * is invalid.
 */
const struct barkeep_form *barkeep_form_vector(unsigned int map, u8 opcode)
{
	const struct barkeep_form *form;

	switch (map) {
	case BARKEEP_MAP_0F:
		if (opcode == 0x77)
			return &forms[NO];
		form = form_of(map_0f[opcode]);
		if (!form || !(form->flags & FORM_MODRM))
			return NULL;
		return &forms[form->immediate[0] ? EIB : E_];
	case BARKEEP_MAP_0F38:
	case BARKEEP_MAP_5:
	case BARKEEP_MAP_6:
		return &forms[E_];
	case BARKEEP_MAP_0F3A:
		return &forms[EIB];
	default:
		return NULL;
	}
}

/**
 * barkeep_form_reg() - the form of an opcode group's member
 * @form: as looked up
 * @reg: ModRM.reg
 *
 * NULL if it is invalid.
 */
const struct barkeep_form *barkeep_form_reg(const struct barkeep_form *form, unsigned int reg)
{
	return form->by_reg ? form_of(form->by_reg[reg & 7]) : form;
}
