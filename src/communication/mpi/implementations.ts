/** Values that differ between implementations of MPI: their headers define them, the library does not export them all. */

/** A handle as the library passes it: an address in Open MPI, a number in MPICH. */
export type Handle = bigint | number;

/** Values of `mpi.h` of one implementation. */
export interface Implementation {
  /** Name, for people. */
  readonly name: string;
  /** Beginning of the text of `MPI_Get_library_version`, with the version as its group. */
  readonly version: RegExp;
  /** C type of handles. */
  readonly handleType: "void *" | "int";
  /** `MPI_IN_PLACE` and `MPI_STATUS_IGNORE`, which are addresses. */
  readonly inPlace: bigint;
  readonly statusIgnore: bigint;
  /** `MPI_COMM_WORLD`, `MPI_FLOAT`, `MPI_DOUBLE`, `MPI_BYTE` and `MPI_SUM`; `symbol` is the address of an exported variable. */
  handles(symbol: (name: string) => bigint): Handles;
}

/** The handles that are used. */
export interface Handles {
  readonly world: Handle;
  readonly float: Handle;
  readonly double: Handle;
  readonly byte: Handle;
  readonly sum: Handle;
}

/** Open MPI 4 and 5, by `mpi.h` of 4.1.4 and 5.0.7: one binary interface. */
const openMpi: Implementation = {
  name: "Open MPI",
  version: /^Open MPI v(\d+\.\d+\.\d+)/,
  handleType: "void *",
  inPlace: 1n,
  statusIgnore: 0n,
  handles: (symbol) => ({
    world: symbol("ompi_mpi_comm_world"),
    float: symbol("ompi_mpi_float"),
    double: symbol("ompi_mpi_double"),
    byte: symbol("ompi_mpi_byte"),
    sum: symbol("ompi_mpi_op_sum"),
  }),
};

/** MPICH 3.1 and later, and the libraries with its binary interface, by `mpi.h` of 4.0.2. */
const mpich: Implementation = {
  name: "MPICH",
  version: /^MPICH Version:\s*(\d+\.\d+(?:\.\d+)?)/,
  handleType: "int",
  inPlace: 2n ** 64n - 1n,
  statusIgnore: 1n,
  handles: () => ({
    world: 0x44000000,
    float: 0x4c00040a,
    double: 0x4c00080b,
    byte: 0x4c00010d,
    sum: 0x58000003,
  }),
};

export const implementations: readonly Implementation[] = [openMpi, mpich];
