"""The kernels of src/simd/, as kernels.h and kernel_list.h have them and say what they do."""

from libc.stdint cimport int32_t

cdef extern from "kernels.h":
    ctypedef struct Product:
        Py_ssize_t runs, length
        Py_ssize_t a_row, a_run, a_step
        Py_ssize_t b_run, b_step
        Py_ssize_t c_row

    enum:
        PRODUCT_ADD
        PRODUCT_RELU
        PRODUCT_FEW

    enum:
        ACTIVATION_COUNT
        RELU "ACTIVATION_relu"

    ctypedef struct Activation:
        const char* name
        void (*forward)(Py_ssize_t n, double alpha, const void* x, void* y) noexcept nogil
        void (*backward)(Py_ssize_t n, double alpha, const void* saved, const void* dy,
                         void* dx) noexcept nogil

    enum:
        WINOGRAD_TILE
        WINOGRAD_IN
        WINOGRAD_POINTS

    ctypedef void (*Transform)(Py_ssize_t n, const void* x, Py_ssize_t x_step, const void* bias,
                               int flags, void* y, Py_ssize_t y_step) noexcept nogil

    ctypedef struct Depthwise:
        Py_ssize_t C, rows, cols
        Py_ssize_t x_step, x_row, x_col
        Py_ssize_t w_row, w_col
        Py_ssize_t y_step

    ctypedef struct Kernels:
        Py_ssize_t lanes

        void (*product)(const Product* p, Py_ssize_t rows, Py_ssize_t cols, const void* a,
                        const void* b, const void* bias, int flags, void* c) noexcept nogil
        void (*few_product)(const Product* p, Py_ssize_t rows, Py_ssize_t cols, const void* a,
                            const void* b, const void* bias, int flags, void* c) noexcept nogil
        void (*row_product)(Py_ssize_t K, Py_ssize_t n, const void* x, const void* w,
                            Py_ssize_t w_row, void* y) noexcept nogil
        void (*pack)(Py_ssize_t K, Py_ssize_t cols, const void* w, Py_ssize_t w_row,
                     Py_ssize_t w_col, const void* scale, void* panel) noexcept nogil

        void (*pack_few)(Py_ssize_t K, Py_ssize_t cols, const void* w, Py_ssize_t w_row,
                         Py_ssize_t w_col, const void* scale, void* panel,
                         Py_ssize_t panel_row) noexcept nogil

        Transform winograd_input
        Transform winograd_weights
        Transform winograd_output
        Transform winograd_gradient
        Transform winograd_sum

        void (*depthwise)(const Depthwise* d, Py_ssize_t count, const void* x, const void* w,
                          const void* bias, int flags, void* y) noexcept nogil
        void (*depthwise_weights)(const Depthwise* d, Py_ssize_t count, const void* x,
                                  const void* dy, void* dw, void* db) noexcept nogil

        void (*max_window)(Py_ssize_t C, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t width,
                           int32_t first, const void* x, void* y,
                           int32_t* where) noexcept nogil
        void (*max_window_backward)(Py_ssize_t C, Py_ssize_t rows, Py_ssize_t cols,
                                    Py_ssize_t width, int32_t first, const int32_t* where,
                                    const void* dy, void* dx) noexcept nogil
        void (*mean_window)(Py_ssize_t C, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t width,
                            double share, const void* x, void* y) noexcept nogil

        void (*normalise)(Py_ssize_t n, const void* mean, const void* a, const void* b,
                          const void* x, void* y) noexcept nogil
        void (*normalise_backward)(Py_ssize_t n, const void* mean, const void* a, const void* b,
                                   const void* c, const void* dy, const void* x,
                                   void* dx) noexcept nogil

        void (*prelu)(Py_ssize_t rows, Py_ssize_t n, const void* slope, const void* x,
                      void* y) noexcept nogil
        void (*prelu_backward)(Py_ssize_t rows, Py_ssize_t n, const void* slope, const void* x,
                               const void* dy, void* dx, void* total) noexcept nogil

        double (*softmax)(Py_ssize_t n, const void* x, void* y, double* top) noexcept nogil

        void (*adam)(Py_ssize_t n, double rate, double beta1, double beta2, double epsilon,
                     double l2, double decay, const void* g, void* m, void* v,
                     void* w) noexcept nogil
        void (*sgd)(Py_ssize_t n, double rate, double momentum, int nesterov, double l2,
                    const void* g, void* velocity, void* w) noexcept nogil

        void (*sum_values)(Py_ssize_t rows, Py_ssize_t n, const void* x, Py_ssize_t step,
                           const void* mean, void* total) noexcept nogil
        void (*sum_moments)(Py_ssize_t rows, Py_ssize_t n, const void* x, const void* dy,
                            const void* mean, void* total) noexcept nogil
        void (*sum_vector)(Py_ssize_t n, const void* x, void* total) noexcept nogil

        void (*axpy)(Py_ssize_t n, double alpha, const void* x, void* y) noexcept nogil
        void (*add_runs)(Py_ssize_t runs, Py_ssize_t n, const void* x, Py_ssize_t x_run,
                         void* y, Py_ssize_t y_run) noexcept nogil
        void (*scale)(Py_ssize_t n, double alpha, void* x) noexcept nogil
        void (*muladd)(Py_ssize_t n, const void* a, const void* x, void* y) noexcept nogil
        void (*affine)(Py_ssize_t n, const void* a, const void* b, const void* x,
                       void* y) noexcept nogil

        const Activation* activations
