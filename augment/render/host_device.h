#ifndef MIXFEED_AUGMENT_RENDER_HOST_DEVICE_H_
#define MIXFEED_AUGMENT_RENDER_HOST_DEVICE_H_

// Marks the scalar functions that define every output pixel, for host and device alike. The vector
// and CUDA code must equal them bit for bit; both are built without contraction into fused
// multiply-adds.
#if defined(__CUDACC__)
#define MIXFEED_HD __host__ __device__
#else
#define MIXFEED_HD
#endif

#endif  // MIXFEED_AUGMENT_RENDER_HOST_DEVICE_H_
