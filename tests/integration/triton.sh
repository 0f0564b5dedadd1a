#!/usr/bin/env bash
# Becomes a Triton server on the CPU with Triton's Python backend: one process that a test may kill.
# Prints its process group, of which the processes that run the models are too: those that are busy
# outlive a killed server. Their shared memory is /dev/shm/mixfeed-PORT-*.
#
#   triton.sh SITE_PACKAGES PORT FOLDER
#
# SITE_PACKAGES is where pip put the nvidia-pytriton wheel, of which only the server is used. FOLDER
# holds the model repository `models`; the backend is put beside it.
set -euo pipefail
site=$1 port=$2 folder=$3
triton=$site/pytriton/tritonserver
python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ ! -d "$folder/backends" ]; then  # a killed server's models may still run from there
  mkdir "$folder/backends"
  cp -r "$triton/backends/python" "$folder/backends/"
  # The process that runs the models, in the version of the system's Python.
  cp "$triton/python_backend_stubs/$python/triton_python_backend_stub" "$folder/backends/python/"
  chmod +x "$folder/backends/python/triton_python_backend_stub"
fi
export LD_LIBRARY_PATH=$site/nvidia_pytriton.libs PATH=/usr/bin:$PATH
echo $$
exec setsid "$triton/bin/tritonserver" --model-repository "$folder/models" --backend-directory "$folder/backends" \
  --grpc-address 127.0.0.1 --grpc-port "$port" --allow-http false --allow-metrics false \
  --backend-config "python,shm-region-prefix-name=mixfeed-$port-" 2>>"$folder/log"
