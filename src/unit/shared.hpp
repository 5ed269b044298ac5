#pragma once
// Sections that most units leave alone. Tested by tests/unit/unit/parse_test.cpp.

#include <memory>

namespace monoinit::unit {

/// Copy on write: all default-constructed ones share a single default object.
template <class T> class Shared {
  public:
    const T& operator*() const { return ptr_ ? *ptr_ : default_object(); }
    const T* operator->() const { return &**this; }
    /// The writable object; made unique first.
    T& edit() {
        if (!ptr_)
            ptr_ = std::make_shared<T>();
        else if (ptr_.use_count() > 1)
            ptr_ = std::make_shared<T>(*ptr_);
        return *ptr_;
    }
    bool is_default() const { return !ptr_; }

  private:
    static const T& default_object() {
        static const T object{};
        return object;
    }
    std::shared_ptr<T> ptr_;
};

} // namespace monoinit::unit
