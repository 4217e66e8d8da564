# shellcheck shell=bash
# What the commands of this folder share. Sourced, not run, so its variables are used elsewhere:
# shellcheck disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The instruction set to build for. Each has its own build folder, so that none overwrites another.
march=${MARCH:-native}
scratch=$root/.build
if [ "$march" != native ]; then scratch=$root/.build-$march; fi

# The program, built or given, or where there is no source to build, the one that is installed.
binary=$scratch/release/unroll
if [ ! -e "$root/Package.swift" ]; then
  binary=$(cd "$root/../.." && pwd)/bin/unroll
  if [ ! -x "$binary" ]; then binary=$(command -v unroll || echo unroll); fi
fi
binary=${UNROLL_BINARY:-$binary}

# One sentence on stderr, and out: fail CODE SENTENCE
fail() {
  local code=$1
  shift
  echo "$(basename "$0"): $*" >&2
  exit "$code"
}

# Warnings are errors in builds that test, unless their environment says otherwise.
export UNROLL_WARNINGS=${UNROLL_WARNINGS-errors}

# What to do about a program that is missing: advice SCRIPT PACKAGE. A package has no launch/build or launch/install.
advice() {
  if [ -e "$root/Package.swift" ]; then echo "run launch/$1"; else echo "install $2"; fi
}

# What every build and test of the package is called with: one set, so that they share one build.
swift_options=(--package-path "$root" --scratch-path "$scratch" -c release
  -Xcc "-march=$march" -Xcc "-DUNROLL_MARCH=$march" --explicit-target-dependency-import-check error)

# Whether oneDNN's header is there decides what is compiled, so it is part of the command: a build after
# its installation compiles anew.
if printf '#include <dnnl.h>' | clang -E -x c - >/dev/null 2>&1; then
  swift_options+=(-Xcc -DUNROLL_HAS_ONEDNN_HEADER)
fi

# Builds this package, or another one that shares its build folder: swift_build ARGUMENTS…
# SwiftPM orders some flags by hashes, which differ from start to start; those of dependencies would be compiled anew.
swift_build() { SWIFT_DETERMINISTIC_HASHING=1 swift build "${swift_options[@]}" "$@"; }

# Processors that this process may use; nproc alone would obey OMP_NUM_THREADS.
processor_count() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc; }

# Cores, not hardware threads, that this process may use.
core_count() {
  local cores processors
  processors=$(processor_count)
  cores=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l)
  if [ "$cores" -lt 1 ] || [ "$cores" -gt "$processors" ]; then cores=$processors; fi
  echo "$cores"
}

# Whether ranks may be tied to cores: not where only some processors or a share of them is ours,
# since every such process would be tied to the first cores of the machine.
may_bind() {
  [ "$(processor_count)" -eq "$(getconf _NPROCESSORS_ONLN)" ] || return 1
  local quota
  read -r quota _ 2>/dev/null </sys/fs/cgroup/cpu.max || return 0
  [ "$quota" = max ]
}

# Adds a parameter of Open MPI to mpirun_command, unless the user gives it: mpirun refuses two values.
given_or() {
  case " ${UNROLL_MPIRUN_ARGS-} " in
    *" --mca $1 "* | *" -mca $1 "* | *" --gmca $1 "* | *" -gmca $1 "*) return ;;
  esac
  if printenv "OMPI_MCA_$1" >/dev/null; then return; fi
  mpirun_command+=(--mca "$1" "$2")
}

# Whether mpirun may place ranks on other hosts, by itself: in a job of several nodes, or with a list of hosts.
may_spread() {
  [ "${SLURM_JOB_NUM_NODES:-${SLURM_NNODES:-1}}" = 1 ] || return 0
  local list
  for list in "${PBS_NODEFILE-}" "${PE_HOSTFILE-}" "${LSB_DJOB_HOSTFILE-}"; do
    if [ -r "$list" ] && [ "$(cut -d ' ' -f 1 "$list" | sort -u | wc -l)" -gt 1 ]; then return 0; fi
  done
  [ -n "${OMPI_MCA_orte_default_hostfile-}${PRTE_MCA_prte_default_hostfile-}" ]
}

# Sets mpirun_command to mpirun and the arguments for so many ranks on this machine, and exports
# what the ranks need: prepare_mpirun RANKS
prepare_mpirun() {
  local ranks=$1
  # One thread each: parallelism is ranks.
  export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  # The shared memory and TCP transports by name: probing for others takes longer than starting.
  mpirun_command=(mpirun -np "$ranks")
  given_or pml ob1
  given_or btl "self,vader,tcp"
  # A host that is gone is noticed after about ten seconds; without this, after minutes.
  given_or oob_tcp_keepalive_time 5
  given_or oob_tcp_keepalive_intvl 2
  given_or oob_tcp_keepalive_probes 3
  mpirun_command+=(-x OPENBLAS_NUM_THREADS -x OMP_NUM_THREADS)
  # Ranks that share a core, with each other or with another run, must give it away while they wait,
  # or each sum takes milliseconds.
  if [ "$ranks" -gt 1 ]; then given_or mpi_yield_when_idle 1; fi
  if [ "$ranks" -gt "$(core_count)" ]; then
    mpirun_command+=(--oversubscribe --bind-to none)
  elif [ "$ranks" -gt 1 ] && may_bind; then
    mpirun_command+=(--bind-to core)
  else
    mpirun_command+=(--oversubscribe --bind-to none)
  fi
}
