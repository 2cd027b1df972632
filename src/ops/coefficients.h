#pragma once
// Written by tools/coefficients/coefficients.py, which says how; lowest power first.

namespace outerloop::coefficients {

// exp(r) = 1 + r + r^2 P(r), |r| <= ln(2) / 2
// relative error 9.9e-9
inline constexpr double kExpF32[] = {5.0000000000000444e-1, 1.6666577025592585e-1,
                                     4.1666554661596036e-2, 8.3631730754134773e-3,
                                     1.3926176170761088e-3};
// relative error 2.1e-19
inline constexpr double kExpF64[] = {5.0e-1,
                                     1.6666666666666671e-1,
                                     4.1666666666666671e-2,
                                     8.3333333333261411e-3,
                                     1.3888888888883752e-3,
                                     1.9841269874800496e-4,
                                     2.480158732553359e-5,
                                     2.7557255425742657e-6,
                                     2.7557273661106868e-7,
                                     2.5105206375528585e-8,
                                     2.0914679466168178e-9};

// 2^r = 1 + r P(r), |r| <= 1/2
// relative error 1.1e-10
inline constexpr double kExp2F32[] = {
    6.9314718055994529e-1, 2.4022650922288771e-1, 5.5504108839097281e-2, 9.6180566785216259e-3,
    1.3333502386015579e-3, 1.5461444699773998e-4, 1.5297323807987381e-5};
// relative error 1.3e-21
inline constexpr double kExp2F64[] = {
    6.9314718055994529e-1, 2.4022650695910072e-1, 5.5504108664821583e-2,  9.6181291076284838e-3,
    1.3333558146428445e-3, 1.5403530393362755e-4, 1.5252733804051129e-5,  1.3215486815999978e-6,
    1.0178086021185552e-7, 7.0548943863476425e-9, 4.4455303090744395e-10, 2.5733568309886136e-11,
    1.3716962437391998e-12};

// log(1 + f) = 2 s + s z P(z), s = f / (2 + f), z = s^2, sqrt(1/2) <= 1 + f <= sqrt(2)
// relative error 1.7e-11
inline constexpr double kLogF32[] = {6.6666666554497089e-1, 4.0000121839806158e-1,
                                     2.8550820815958683e-1, 2.3330467216342318e-1};
// relative error 2.9e-20
inline constexpr double kLogF64[] = {
    6.6666666666666663e-1, 4.0000000000000879e-1, 2.8571428570803614e-1, 2.2222222391713917e-1,
    1.81817956401329e-1,   1.5386239702814888e-1, 1.3268773138651677e-1, 1.3086626147887312e-1};

// sin(r) = r + r z P(z), z = r^2, |r| <= pi / 4
// relative error 1.3e-8
inline constexpr double kSinF32[] = {-1.6666664662314379e-1, 8.332748270629747e-3,
                                     -1.9587890880411977e-4};
// relative error 1.3e-17
inline constexpr double kSinF64[] = {-1.6666666666666666e-1, 8.333333333330948e-3,
                                     -1.9841269836758574e-4, 2.7557316102552439e-6,
                                     -2.5051131845003621e-8, 1.591812929486638e-10};

// cos(r) = 1 - z / 2 + z^2 P(z), z = r^2, |r| <= pi / 4
// relative error 1.1e-9
inline constexpr double kCosF32[] = {4.1666664659502209e-2, -1.3888303035894862e-3,
                                     2.4547942085071162e-5};
// relative error 6.5e-19
inline constexpr double kCosF64[] = {4.1666666666666664e-2, -1.3888888888887398e-3,
                                     2.4801587298765689e-5, -2.7557317271729793e-7,
                                     2.0876146268403195e-9, -1.1382632425521575e-11};

// Leading parts are short, so that products with small whole numbers are exact.
inline constexpr double kLn2F32[] = {6.93145751953125e-1, 1.4286068203094173e-6};
inline constexpr double kLn2F64[] = {6.9314718060195446e-1, -4.2009150726810846e-11};
inline constexpr double kHalfPiF32[] = {1.5707963705062866, -4.3711388286737929e-8,
                                        -1.7151244994428829e-15};
inline constexpr double kHalfPiF64[] = {1.5707963267948966, 6.123233995736766e-17,
                                        -1.4973849048591698e-33};
inline constexpr double kLog2E = 1.4426950408889634;
inline constexpr double kTwoOverPi = 6.3661977236758138e-1;

}  // namespace outerloop::coefficients
